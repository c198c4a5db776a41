import json

import pytest
from PIL import Image

from benchmark import skipped
from benchmark.data.pack import groups, read_attributes
from benchmark.data.pack_write import created
from benchmark.errors import BenchmarkError
from benchmark.skipped import Skipped

MARK = Skipped("chexpert", "needs credentials", "Register at the provider, then run `dvc repro`.")


def test_a_mark_in_a_folder_is_read_as_it_was_written(tmp_path):
    assert skipped.in_folder(tmp_path) is None
    MARK.write(tmp_path)
    assert skipped.in_folder(tmp_path) == MARK
    assert json.loads((tmp_path / "skipped.json").read_text())["reason"] == "needs credentials"


def test_a_pack_without_images_carries_the_mark(tmp_path):
    for name, attributes in (("whole", {"dataset": "mnist"}), ("empty", MARK.attributes())):
        with created(tmp_path / f"{name}.h5", attributes):
            pass
    assert skipped.in_attributes(read_attributes(tmp_path / "whole.h5")) is None
    assert skipped.in_attributes(read_attributes(tmp_path / "empty.h5")) == MARK
    assert groups(tmp_path / "empty.h5") == []


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"dataset": "x", "reason": "y"}', '{"dataset": "x", "reason": "y", "do": 3}']
)
def test_a_file_that_is_no_mark_is_told_and_skips_nothing(tmp_path, text):
    (tmp_path / "skipped.json").write_text(text)
    with pytest.raises(BenchmarkError, match=r"skipped\.json is no mark; got .*dvc repro"):
        skipped.in_folder(tmp_path)


def test_the_picture_in_place_of_a_contact_sheet_is_small_and_has_words(tmp_path):
    for name in ("a", "b"):
        MARK.draw(tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (360, 40)
        dark, light = image.getextrema()
    assert dark < 64 and light == 255


def test_the_mark_says_what_is_left_out_why_and_what_to_do():
    assert str(MARK) == "chexpert is skipped: needs credentials. Register at the provider, then run `dvc repro`."
