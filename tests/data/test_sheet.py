import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import image as decoder

from benchmark.data.sheet import MANIFEST, draw_sheet, manifest_rows, write_manifest
from benchmark.files import sha256_file
from benchmark.inject import NO_CODE

SIZES = {"train": 3500, "val": 500, "iid": 1000, "ood": 1000, "deceiving": 1000, "balanced": 500}


@pytest.fixture(scope="module")
def manifest(biased_digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    write_manifest(path, manifest_rows(biased_digits))
    return path


@pytest.fixture(scope="module")
def rows(manifest):
    return list(csv.DictReader(io.StringIO(manifest.read_text(encoding="utf-8"), newline="")))


def test_the_manifest_has_one_row_an_image(manifest, rows, biased_digits):
    assert manifest.read_text(encoding="utf-8").splitlines()[0] == ",".join(MANIFEST)
    assert {name: sum(row["subset"] == name for row in rows) for name in SIZES} == SIZES
    assert len(rows) == sum(SIZES.values())
    ids = [row["id"] for row in rows if row["subset"] == "iid"]
    assert ids == biased_digits["iid"].images.id.tolist()


def test_the_manifest_tells_where_each_mark_is(rows, biased_digits):
    for name in SIZES:
        subset = biased_digits[name]
        mine = [row for row in rows if row["subset"] == name]
        for k in range(0, len(mine), 97):
            row, mark = mine[k], subset.mark[k]
            assert int(row["label"]) == subset.images.label[k]
            assert int(row["foreground_px"]) == np.count_nonzero(subset.images.mask[k])
            assert int(row["mark_px"]) == np.count_nonzero(mark)
            if name == "ood":
                assert (row["code"], row["mark_row"], row["mark_column"], row["mark_px"]) == ("", "", "", "0")
            else:
                assert int(row["code"]) == subset.code[k]
                top, left = int(row["mark_row"]), int(row["mark_column"])
                assert mark[top : top + 2, left : left + 2].sum() == 4


def test_the_manifest_marks_the_class_in_training_and_another_when_deceiving(rows):
    for row in rows:
        if row["subset"] in ("train", "val", "iid"):
            assert row["code"] == row["label"]
        if row["subset"] == "deceiving":
            assert row["code"] != row["label"]


# --- contact sheet ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sheet(biased_digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("sheet") / "corner.png"
    draw_sheet(path, biased_digits)
    return path


def test_the_sheet_is_a_png_as_wide_as_ten_classes_and_as_high_as_three_variants(sheet):
    picture = decoder.imread(sheet)
    height, width = picture.shape[:2]
    assert 10 / 3 * 0.8 < width / height < 10 / 3  # labels take more of the height than of the width
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


def test_the_same_subsets_give_the_same_bytes(sheet, biased_digits, tmp_path):
    draw_sheet(tmp_path / "again.png", biased_digits)
    assert sha256_file(tmp_path / "again.png") == sha256_file(sheet)


def test_colour_images_and_two_variants_make_a_sheet(biased_digits, tmp_path):
    def coloured(subset):
        few = subset.images.take(subset.images.label < 2)
        keep = subset.images.label < 2
        images = replace(few, image=np.repeat(few.image, 3, axis=-1))
        return replace(subset, images=images, mark=subset.mark[keep], code=subset.code[keep])

    draw_sheet(tmp_path / "two.png", {name: coloured(biased_digits[name]) for name in ("iid", "ood")})
    height, width = decoder.imread(tmp_path / "two.png").shape[:2]
    assert 0.6 < width / height < 1.2
    assert (biased_digits["ood"].code == NO_CODE).all()
