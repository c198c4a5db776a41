"""What the command shows, without the command: marks against hand-computed pixels, and rows against the contract."""

from pathlib import Path

import numpy as np
import pytest
from made_images import made_index, shuffled_index, thirds, with_pixels
from PIL import Image

from benchmark.api import NO_CODE, Images
from benchmark.biases.corner import Corner
from benchmark.biases.natural import Natural
from benchmark.biases.source import Source
from benchmark.errors import BenchmarkError
from benchmark.preview import Examples, choose, draw, make_bias, rows_of
from benchmark.registry import BIASES

PLANTED = sorted(set(BIASES.table()) - {"natural", "source"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without any settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def black(count: int = 8, side: int = 20, classes: int = 4) -> Examples:
    """Black images with a foreground in the middle."""
    index = made_index(np.arange(count) % classes, thirds(count))
    mask = np.zeros((count, side, side), np.uint8)
    mask[:, 8:12, 8:12] = 1
    image = np.zeros((count, side, side, 1), np.uint8)
    return Examples(Images(image=image, mask=mask, **index.columns()), classes, ())


@pytest.mark.parametrize(
    ("strength", "grey"),
    [(1.0, 255), (0.3, 76), (0.5, 128)],  # 76.5 and 127.5 go to the even number
)
def test_the_marks_of_corner_have_the_size_and_the_grey_level_computed_by_hand(
    strength: float, grey: int, tmp_path: Path
) -> None:
    bias = Corner(Corner.Settings(size=0.15, strength=strength))  # 3 of 20 px
    lines = list(draw(tmp_path / "sheet.png", black(), bias))
    said = f"marks of 9 px, moved by {grey / 255:.3f} of full brightness"
    assert lines == [f"{row}: {said}" for row in ("in training", "deceiving", "every mark")]
    rows = rows_of(black(), bias)
    four = np.zeros((4, 20, 20, 1), np.uint8)
    for k, (down, along) in enumerate([(0, 0), (0, 17), (17, 17), (17, 0)]):  # four marks: the four corners
        four[k, down : down + 3, along : along + 3] = grey
    np.testing.assert_array_equal(rows["every mark"].images.image, four)
    np.testing.assert_array_equal(rows["in training"].images.image[:4], four)


def test_the_rows_show_the_same_images_under_no_mark_their_own_and_another() -> None:
    rows = rows_of(black(), Corner(Corner.Settings(size=0.15)))
    assert list(rows) == ["as it is", "in training", "deceiving", "every mark"]
    label = rows["as it is"].images.label
    assert (rows["as it is"].code == NO_CODE).all() and not rows["as it is"].mark.any()
    np.testing.assert_array_equal(rows["in training"].code, label)
    assert (rows["deceiving"].code != label).all() and (rows["deceiving"].code >= 0).all()
    np.testing.assert_array_equal(rows["every mark"].code, np.arange(4))
    assert len(set(rows["every mark"].images.id.tolist())) == 1
    for title in ("in training", "deceiving"):
        np.testing.assert_array_equal(rows[title].images.id, rows["as it is"].images.id)


def test_at_most_twelve_marks_are_shown() -> None:
    rows = rows_of(black(), Corner(Corner.Settings(size=0.05, codes=30)))
    assert rows["every mark"].code.tolist() == list(range(12))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_bias_can_be_shown_on_grey_and_on_colour(name: str, channels: int, tmp_path: Path) -> None:
    index = shuffled_index(24, 3)
    images = with_pixels(index, side=48, channels=channels).take(np.arange(6))
    lines = list(draw(tmp_path / "sheet.png", Examples(images, 3, ("a", "b", "c")), make_bias(name, {})))
    assert [line.partition(":")[0] for line in lines] == ["in training", "deceiving", "every mark"]
    assert all(float(line.split("moved by ")[1].split()[0]) > 0 for line in lines)
    assert all(float(line.split("marks of ")[1].split()[0]) >= 1 for line in lines)
    with Image.open(tmp_path / "sheet.png") as sheet:
        sheet.load()
        assert sheet.size == (round(150 * (0.96 * 6 + 0.3)), round(150 * (1.25 * 4 + 0.1)))


@pytest.mark.parametrize("name", PLANTED)
def test_a_strength_of_0_moves_nothing(name: str, tmp_path: Path) -> None:
    images = with_pixels(shuffled_index(24, 3), side=48, channels=3).take(np.arange(6))
    lines = list(draw(tmp_path / "sheet.png", Examples(images, 3, ()), make_bias(name, {"strength": "0"})))
    assert len(lines) == 3
    assert all(line.endswith("moved by 0.000 of full brightness") for line in lines)


@pytest.mark.parametrize(
    "bias", [Natural(Natural.Settings()), Source(Source.Settings(speaks_for={"made": 0, "other": 1}))]
)
def test_a_bias_that_plants_nothing_shows_the_images_and_says_so(bias: Natural | Source, tmp_path: Path) -> None:
    lines = list(draw(tmp_path / "sheet.png", black(), bias))
    assert lines == ["as it is: 8 images; this bias plants nothing, it only chooses images"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[1] == round(150 * 1.35)


def test_images_are_chosen_from_every_class_and_source_in_turn_however_late_they_come() -> None:
    label, source = np.zeros(6000, np.int64), np.full(6000, "here")
    label[5990:] = 1
    source[5995:] = "there"
    index = made_index(label, thirds(6000), source)
    assert choose(index, 3).tolist() == [0, 5990, 5995]
    assert choose(index, 5).tolist() == [0, 1, 5990, 5991, 5995]
    assert choose(index, 10**6).tolist() == list(range(6000))


def test_settings_of_the_yaml_hold_but_for_what_is_given(folder: Path) -> None:
    configs = folder / "pipelines/configs/biases"
    configs.mkdir(parents=True)
    (configs / "faint.yaml").write_text("bias: corner\nstrength: 0.2\nsize: 0.1\n")
    bias = make_bias("faint", {"size": "0.3", "prevalence": "[0.5, 1]", "codes": 3})
    assert isinstance(bias, Corner)
    found = bias.settings
    assert (found.strength, found.size, found.prevalence, found.codes) == (0.2, 0.3, (0.5, 1.0), 3)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("cornr", {}, "unknown bias; got 'cornr'; expected did you mean 'corner'"),
        ("corner", {"sizes": "1"}, "sizes: Extra inputs"),
        ("corner", {"size": "[0.1"}, r"setting 'size' on the command line; got '\[0.1'; expected a number"),
        ("corner", {"size": "2026-13-45"}, "size"),
        ("corner", {"strength": "1.5"}, "strength: Input should be less than or equal to 1"),
        ("corner", {"strength": ".nan"}, "strength"),
        ("source", {}, "speaks_for: Field required"),
    ],
)
def test_a_bias_or_a_setting_that_does_not_exist_is_an_error(name: str, changes: dict[str, str], told: str) -> None:
    with pytest.raises(BenchmarkError, match=told):
        make_bias(name, changes)


def test_a_mark_that_finds_no_background_is_an_error_and_leaves_no_picture(tmp_path: Path) -> None:
    examples = black()
    full = Images(**examples.images.columns() | {"mask": np.ones_like(examples.images.mask)})
    with pytest.raises(BenchmarkError, match="has no background where mark"):
        list(draw(tmp_path / "sheet.png", Examples(full, 4, ()), Corner(Corner.Settings(size=0.15))))
    assert not (tmp_path / "sheet.png").exists()
