"""The command as a user types it, on real digits made from their raw file."""

import argparse
import json
import shutil
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import paths
from benchmark.api import Images
from benchmark.cli.main import main
from benchmark.cli.preview import changes
from benchmark.data.named import load_dataset
from benchmark.data.pack import IMAGES
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the settings of this repository and the raw file of mnist5k."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "pipelines/configs", folder / "pipelines/configs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        paths.raw("mnist5k").mkdir(parents=True)
        load_dataset("mnist5k").fetch(paths.raw("mnist5k"))
    return folder


@pytest.fixture
def project(digits: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That project as working directory, with no screen."""
    monkeypatch.chdir(digits)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return digits


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_digits_are_shown_from_their_raw_file_with_numbers_computed_by_hand(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "mnist5k", "corner", "--strength", "0.3", "--size", "0.11", "--images", "4"]) == 0
    said = f"marks of 9 px, moved by {76 / 255:.3f} of full brightness"  # 3 px of 28; 76.5 goes to 76 on black
    target = "data/preview/mnist5k-corner.png"
    assert lines(capsys) == [f"in training: {said}", f"deceiving: {said}", f"every mark: {said}", target]
    with Image.open(project / target) as sheet:
        sheet.load()  # ten marks in the last of four rows
        assert sheet.size == (round(150 * (0.96 * 10 + 0.3)), round(150 * (1.25 * 4 + 0.1)))
        assert len(np.unique(np.asarray(sheet.convert("L")))) > 20


def test_one_bias_is_told_by_the_name_of_its_file_and_the_picture_goes_where_it_is_wanted(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "faint.png"
    assert main(["preview", "mnist5k", "dose_s10", "--images", "1", "--out", str(target)]) == 0
    told = lines(capsys)
    assert told[0] == "in training: marks of 4 px, moved by 0.102 of full brightness"  # 25.5 goes to 26 on black
    assert told[-1] == str(target) and target.is_file()


def test_a_bias_of_nature_shows_the_images(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "mnist5k", "natural", "--images", "3"]) == 0
    assert lines(capsys)[0] == "as it is: 3 images; this bias plants nothing, it only chooses images"


def test_a_pack_comes_before_raw_files_and_names_its_classes(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = load_dataset("mnist5k")
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    rows = np.array([0, 600, 1200, 4900])
    index = dataset.index(project / "data/raw/mnist5k")
    image, mask = dataset.pixels(project / "data/raw/mnist5k", index, rows)
    images = Images(image=np.repeat(image, 3, axis=-1), mask=mask, **index.take(rows).columns())
    names = [f"digit {k}" for k in range(10)]
    write_columns(paths.pack("mnist5k"), {IMAGES: images.columns()}, {"classes": json.dumps(names)})
    assert main(["preview", "mnist5k", "tint", "--set", "strength=1", "--out", str(tmp_path / "sheet.png")]) == 0
    told = lines(capsys)
    background = (mask == 0).sum(axis=(1, 2)).mean()
    assert told[0].startswith(f"in training: marks of {background:.0f} px")


def test_the_picture_is_opened_where_there_is_a_screen_unless_that_is_not_wanted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    call = ["preview", "mnist5k", "natural", "--images", "1"]
    assert main(call) == 0 and opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert main([*call, "--no-open"]) == 0 and opened == []
    assert main(call) == 0
    assert opened == [(project / "data/preview/mnist5k-natural.png").as_uri()]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mnist5k", "cornr"], "unknown bias; got 'cornr'; expected did you mean 'corner'?"),
        (["mnist5k", "corner", "--set", "opacity=1"], "opacity: Extra inputs are not permitted"),
        (["mnist5k", "corner", "--set", "strength"], "--set; got 'strength'; expected KEY=VALUE"),
        (["mnist5k", "corner", "--set", "size=["], "setting 'size' on the command line; got '['"),
        (["mnist5k", "corner", "--strength", "2"], "strength: Input should be less than or equal to 1"),
        (["mnist5k", "corner", "--images", "0"], "--images; got 0; expected 1 or more"),
        (["mnist5k", "corner", "--size", "0.5"], "10 marks of 14 px do not fit"),
        (["mnist5k", "corner", "--correlation", "0.05"], "correlation of the bias; got 0.05; expected 1 / 10"),
        (["fashion_mnist", "corner"], "Run `python -m pipelines.fetch fashion_mnist`."),
        (["no_such_data", "corner"], "unknown dataset; got 'no_such_data'"),
        (["No-Data", "corner"], "dataset name is not usable"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line_and_nothing_is_written(
    arguments: list[str], told: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "sheet.png"
    assert main(["preview", *arguments, "--out", str(target)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and told in said.err
    assert len(said.err.splitlines()) == 1 and said.out == ""
    assert not target.exists()


def test_a_data_set_that_was_skipped_says_why(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = paths.raw("chexpert")
    folder.mkdir()
    mark = {"dataset": "chexpert", "reason": "needs credentials", "do": "Register there."}
    (folder / "skipped.json").write_text(json.dumps(mark))
    assert main(["preview", "chexpert", "corner"]) == 1
    assert (
        "images of data set 'chexpert' are not here; got 'needs credentials'. Register there."
        in capsys.readouterr().err
    )


def test_what_set_gives_holds_beside_the_dials() -> None:
    dials = dict.fromkeys(("strength", "size", "jitter", "correlation", "prevalence", "codes", "label_noise", "seed"))
    options = argparse.Namespace(**dials | {"size": "0.1"}, set=["grey=0", "texts=[a=b, c]"])
    assert changes(options) == {"size": "0.1", "grey": "0", "texts": "[a=b, c]"}
    with pytest.raises(BenchmarkError, match="expected KEY=VALUE"):
        changes(argparse.Namespace(**dials, set=["grey"]))
