"""The contact sheet of a biased pack."""

from dataclasses import replace

import numpy as np
import pytest
from made_images import Specks, made_index, thirds, with_pixels
from matplotlib import image as decoder

from benchmark.api import NO_CODE
from benchmark.data.pack_write import write_columns
from benchmark.data.sheet import MOST, draw_sheet, examples
from benchmark.files import sha256_file
from benchmark.inject import inject


@pytest.fixture(scope="module")
def pack(biased_digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "pack.h5"
    write_columns(path, {name: subset.columns() for name, subset in biased_digits.items()}, {})
    return path


def test_the_first_test_image_of_each_class_is_the_example_in_every_variant(pack, biased_digits):
    found = examples(pack)
    assert list(found) == ["iid", "ood", "deceiving"]
    label = biased_digits["iid"].images.label.tolist()
    rows = [label.index(k) for k in range(10)]
    for name, subset in found.items():
        whole = biased_digits[name]
        for column, values in subset.columns().items():
            assert np.array_equal(values, whole.columns()[column][rows]), (name, column)


def test_of_many_classes_the_first_have_an_example(tmp_path):
    classes = MOST + 5
    label = np.arange(8 * classes)[::-1] % classes
    subsets = inject(with_pixels(made_index(label, thirds(8 * classes))), Specks(Specks.Settings(codes=3)))
    write_columns(tmp_path / "pack.h5", {name: subset.columns() for name, subset in subsets.items()}, {})
    for subset in examples(tmp_path / "pack.h5").values():
        assert subset.images.label.tolist() == list(range(MOST))


def test_images_of_other_sources_have_examples_of_their_own(tmp_path):
    split = np.array(["train", "val", "test", "external"])[np.arange(48) % 4]
    images = with_pixels(made_index(np.arange(48) // 4 % 3, split))
    subsets = inject(images, Specks(Specks.Settings()))
    write_columns(tmp_path / "pack.h5", {name: subset.columns() for name, subset in subsets.items()}, {})
    found = examples(tmp_path / "pack.h5")
    assert list(found) == ["iid", "ood", "deceiving", "external"]
    assert set(found["external"].images.split.tolist()) == {"external"}
    assert found["external"].images.label.tolist() == [0, 1, 2]
    draw_sheet(tmp_path / "sheet.png", found, ("one", "two", "three"))
    assert (tmp_path / "sheet.png").is_file()


@pytest.fixture(scope="module")
def sheet(pack, tmp_path_factory):
    path = tmp_path_factory.mktemp("sheet") / "corner.png"
    draw_sheet(path, examples(pack))
    return path


def test_the_sheet_is_a_png_as_wide_as_ten_classes_and_as_high_as_three_variants(sheet):
    picture = decoder.imread(sheet)
    height, width = picture.shape[:2]
    assert 10 / 3 * 0.75 < width / height < 10 / 3  # labels take more of the height than of the width
    assert 1000 < width < 2500
    assert sheet.stat().st_size < 150_000


def test_the_sheet_holds_thirty_squares_with_a_ring_around_each_mark(sheet):
    picture = np.rint(decoder.imread(sheet)[..., :3] * 255).astype(int)
    ring = np.abs(picture - [0x56, 0xB4, 0xE9]).sum(axis=-1) < 30
    black = (picture == 0).all(axis=-1)
    rows = [runs(line) for line in (black.sum(axis=1) > 700, ring.any(axis=1))]
    assert len(rows[0]) == 3  # every variant is a row of mostly black images
    for (top, bottom), rings in zip(rows[0], (True, False, True), strict=True):
        assert ring[top - 20 : bottom + 20].any() == rings


def runs(line):
    """First and last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))


def test_the_same_subsets_give_the_same_bytes(sheet, pack, tmp_path):
    draw_sheet(tmp_path / "again.png", examples(pack))
    assert sha256_file(tmp_path / "again.png") == sha256_file(sheet)


def test_names_of_classes_are_written_on_the_sheet(sheet, pack, tmp_path):
    draw_sheet(tmp_path / "named.png", examples(pack), [str(k) for k in range(10)])
    plain, named = (decoder.imread(path)[..., :3] for path in (sheet, tmp_path / "named.png"))
    assert plain.shape == named.shape
    lines = np.flatnonzero((plain != named).any(axis=(1, 2)))  # of the titles alone, above each of three rows
    assert 0 < len(lines) < 0.2 * len(plain)


def test_colour_images_and_two_variants_make_a_sheet(pack, tmp_path):
    def coloured(subset):
        few = subset.images.take(slice(0, 2))
        images = replace(few, image=np.repeat(few.image, 3, axis=-1))
        return replace(subset, images=images, mark=subset.mark[:2], code=subset.code[:2])

    found = examples(pack)
    assert (found["ood"].code == NO_CODE).all()
    draw_sheet(tmp_path / "two.png", {name: coloured(found[name]) for name in ("iid", "ood")})
    height, width = decoder.imread(tmp_path / "two.png").shape[:2]
    assert 0.6 < width / height < 1.2
