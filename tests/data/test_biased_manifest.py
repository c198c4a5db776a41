"""The manifest of a biased pack, against a slow look at each image."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from made_images import Specks, shuffled_index, with_pixels
from skimage.measure import regionprops

from benchmark.api import NO_CODE
from benchmark.biases.corner import Corner
from benchmark.biases.source import Source
from benchmark.data.listing import COLUMNS, boxes, changes, listing
from benchmark.data.pack import read_columns, read_index
from benchmark.data.pack_write import by_split, write_pack
from benchmark.files import sha256_file
from benchmark.inject import inject, inject_pack

SIZES = {"train": 3500, "val": 500, "iid": 1000, "ood": 1000, "deceiving": 1000, "balanced": 500}
DIALS = {"correlation": 0.6, "prevalence": 0.7, "label_noise": 0.3, "counterfactuals": 4}


def read(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def listed(path, images, subsets):
    """The manifest of subsets that are in memory."""
    place = {name: row for row, name in enumerate(images.id.tolist())}
    with listing(path) as look:
        for name, subset in subsets.items():
            look(name, subset, images, np.array([place[unit] for unit in subset.images.unit.tolist()]))
    return read(path)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", ["specks", 1.0, 0.4])
def test_every_row_is_what_a_slow_look_at_the_image_finds(tmp_path, channels, strength):
    images = with_pixels(shuffled_index(80, 4, ("train", "val", "test", "external")), channels=channels)
    corner = Corner(Corner.Settings(size=0.17, strength=strength if strength != "specks" else 1.0, **DIALS))
    subsets = inject(images, Specks(Specks.Settings(**DIALS)) if strength == "specks" else corner)
    rows = iter(listed(tmp_path / "manifest.csv", images, subsets))
    by_name = {name: row for row, name in enumerate(images.id.tolist())}
    for name, subset in subsets.items():
        for place in range(len(subset.images)):
            found, image, mark = next(rows), subset.images, subset.mark[place]
            before = by_name[image.unit[place]]
            assert found["subset"] == name
            assert [found[key] for key in ("id", "unit", "source")] == [image.id[place], image.unit[place], "made"]
            assert int(found["label"]) == image.label[place]
            assert int(found["true_label"]) == images.label[before]
            assert int(found["foreground_px"]) == np.count_nonzero(images.mask[before])
            assert int(found["mark_px"]) == np.count_nonzero(mark)
            box = [found[f"mark_{key}"] for key in ("row", "column", "height", "width")]
            if subset.code[place] == NO_CODE:
                assert [found["code"], *box, found["mark_change"]] == [""] * 6
                continue
            assert int(found["code"]) == subset.code[place]
            (region,) = regionprops(mark.astype(int))
            top, left, bottom, right = region.bbox
            assert list(map(int, box)) == [top, left, bottom - top, right - left]
            moved = [
                abs(int(a) - int(b))
                for a, b in zip(
                    image.image[place][mark == 1].ravel(), images.image[before][mark == 1].ravel(), strict=True
                )
            ]
            assert float(found["mark_change"]) == pytest.approx(sum(moved) / len(moved) / 255, abs=6e-5)
    assert next(rows, None) is None


@settings(deadline=None)
@given(arrays(bool, (5, 4, 6)))
def test_a_box_is_the_smallest_around_its_mark(mark):
    for found, one in zip(boxes(mark).tolist(), mark, strict=True):
        spots = np.argwhere(one)
        if len(spots):
            assert found == [*spots.min(axis=0), *(np.ptp(spots, axis=0) + 1)]
        else:
            assert found == [0, 0, 0, 0]


@settings(deadline=None)
@given(arrays(np.uint8, (3, 4, 5, 3)), arrays(np.uint8, (3, 4, 5, 3)), arrays(bool, (3, 4, 5)))
def test_the_change_is_the_mean_over_pixels_and_channels_of_the_mark(before, after, mark):
    for found, one, other, where in zip(changes(before, after, mark), before, after, mark, strict=True):
        if where.any():
            assert found == pytest.approx(np.abs(one[where].astype(float) - other[where]).mean() / 255)
        else:
            assert np.isnan(found)


def test_a_mark_of_no_strength_has_a_place_and_no_change(tmp_path):
    images = with_pixels(shuffled_index(24, 2))
    rows = listed(tmp_path / "manifest.csv", images, inject(images, Corner(Corner.Settings(size=0.17, strength=0))))
    for row in rows:
        if row["subset"] != "ood":
            assert (row["mark_px"], row["mark_height"], float(row["mark_change"])) == ("4", "2", 0.0)


def test_the_code_of_a_source_is_told_though_nothing_is_planted(tmp_path):
    index = shuffled_index(48, 2)
    images = with_pixels(replace(index, source=np.array(["north", "south"])[np.arange(48) // 3 % 2]))
    bias = Source(Source.Settings(speaks_for={"north": 0, "south": 1}, correlation=0.6))
    rows = listed(tmp_path / "manifest.csv", images, inject(images, bias))
    assert rows
    for row in rows:
        assert row["code"] == {"north": "0", "south": "1"}[row["source"]]
        assert (row["mark_px"], row["mark_row"], row["mark_change"]) == ("0", "", "")


@pytest.fixture(scope="module")
def digit_rows(digits, tmp_path_factory):
    """The manifest that is written while the digits go from pack to pack."""
    folder = tmp_path_factory.mktemp("manifest")
    ordered = digits.take(by_split(digits))
    write_pack(folder / "pack.h5", ordered, [(ordered.image, ordered.mask)], {})
    index = read_index(folder / "pack.h5")
    with listing(folder / "manifest.csv") as look:
        inject_pack(folder / "pack.h5", index, folder / "biased.h5", Corner(Corner.Settings()), {}, look)
    return folder, read(folder / "manifest.csv")


def test_the_manifest_has_one_row_an_image_of_every_subset(digit_rows):
    folder, rows = digit_rows
    assert (folder / "manifest.csv").read_bytes().split(b"\n")[0].decode() == ",".join(COLUMNS)
    for name, count in SIZES.items():
        stored, _ = read_columns(folder / "biased.h5", name, ["id", "code", "label"])
        mine = [row for row in rows if row["subset"] == name]
        assert len(mine) == count
        assert [row["id"] for row in mine] == stored["id"].tolist()
        assert [int(row["label"]) for row in mine] == stored["label"].tolist()
        assert [int(row["code"] or NO_CODE) for row in mine] == stored["code"].tolist()
    assert len(rows) == sum(SIZES.values())


def test_the_manifest_marks_the_class_in_training_and_another_when_deceiving(digit_rows):
    for row in digit_rows[1]:
        if row["subset"] in ("train", "val", "iid"):
            assert row["code"] == row["label"] == row["true_label"]
        if row["subset"] == "deceiving":
            assert row["code"] != row["label"]


def test_names_with_commas_quotes_and_umlauts_read_back(tmp_path):
    names = np.array(['a,b "c"', "Müller\n2", *(f"n{k}" for k in range(22))])
    images = with_pixels(replace(shuffled_index(24, 2), id=names, unit=names))
    rows = listed(tmp_path / "one.csv", images, inject(images, Corner(Corner.Settings(size=0.17))))
    assert {row["id"] for row in rows} == set(names.tolist())
    listed(tmp_path / "two.csv", images, inject(images, Corner(Corner.Settings(size=0.17))))
    assert sha256_file(tmp_path / "one.csv") == sha256_file(tmp_path / "two.csv")


def test_an_injection_that_fails_leaves_no_manifest(tmp_path):
    with pytest.raises(KeyError), listing(tmp_path / "manifest.csv"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
