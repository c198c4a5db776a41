import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from benchmark.errors import BenchmarkError
from benchmark.metrics.attribution import background_relevance_mass
from benchmark.report.gallery import read_gallery, read_sheet
from benchmark.report.heatmap import LARGEST, PALETTE, background_share, outline, photo, relevance, shrink
from benchmark.report.load import load
from benchmark.report.png import encode, size


def _pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, st.sampled_from([(1, 1), (5, 3), (4, 6, 3)])))
def test_png_reads_back(image):
    content = encode(image)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), image)
    assert size(content) == (image.shape[1], image.shape[0])


def test_photo_of_one_and_three_channels():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    assert np.array_equal(_pixels(photo(image)), image)
    assert np.array_equal(_pixels(photo(image[..., :1]))[..., 2], image[..., 0])


def test_relevance_is_white_at_zero_blue_below_and_orange_above():
    heat = np.zeros((10, 10), np.float16)
    heat[0, :2], heat[9, 9] = (2, 0.5), -2
    pixels = _pixels(relevance(heat)).astype(int)
    # 99th percentile of 100 numbers, two of them 2: index 98.01, hence 2.
    assert np.array_equal(pixels[0, 0], PALETTE[-1]) and np.array_equal(pixels[9, 9], PALETTE[0])
    assert np.array_equal(pixels[5, 5], [255, 255, 255])
    assert np.array_equal(pixels[0, 1], PALETTE[127 + round(127 / 4)])
    assert PALETTE[-1][0] > PALETTE[-1][2] and PALETTE[0][2] > PALETTE[0][0]


def test_one_hot_pixel_still_shows():
    heat = np.zeros((28, 28))
    heat[3, 4] = 1e-3
    pixels = _pixels(relevance(heat))
    assert np.array_equal(pixels[3, 4], PALETTE[-1]) and (pixels == 255).all(-1).sum() == 783


@pytest.mark.parametrize("heat", [np.zeros((3, 3)), np.full((3, 3), np.nan), np.full((3, 3), np.inf)])
def test_a_map_of_nothing_has_no_picture_and_no_share(heat):
    mask = np.eye(3, dtype=np.uint8)
    assert relevance(heat) is None and background_share(heat, mask) is None


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float16, (4, 5), elements=st.floats(-8, 8, width=16)),
    arrays(np.uint8, (4, 5), elements=st.integers(0, 1)),
)
def test_share_is_the_metric(heat, mask):
    expected = background_relevance_mass(heat[None], mask[None])[0]
    got = background_share(heat, mask)
    assert (got is None and np.isnan(expected)) or got == pytest.approx(expected, abs=1e-9)


def test_outline_of_a_rectangle_is_its_four_sides():
    mask = np.zeros((10, 20), np.uint8)
    mask[2:5, 4:10] = 1
    assert set(re.findall(r"M[^M]+", outline(mask))) == {
        "M0.2 0.2H0.5",
        "M0.2 0.5H0.5",
        "M0.2 0.2V0.5",
        "M0.5 0.2V0.5",
    }


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (6, 8), elements=st.integers(0, 1)))
def test_outline_is_as_long_as_the_border(mask):
    border = 0
    for i in range(6):
        for j in range(8):
            for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                inside = 0 <= a < 6 and 0 <= b < 8
                border += int(mask[i, j] and not (inside and mask[a, b]))
    path = outline(mask)
    across = [(float(b) - float(a)) * 8 for a, b in re.findall(r"M(\S+) \S+?H([^MHV]+)", path)]
    down = [(float(b) - float(a)) * 6 for a, b in re.findall(r"M\S+ (\S+?)V([^MHV]+)", path)]
    assert sum(across) + sum(down) == pytest.approx(border, abs=0.05)


def test_large_images_are_averaged_down():
    image = np.random.default_rng(0).uniform(size=(2 * LARGEST, 2 * LARGEST - 2))
    small = shrink(image)
    assert small.shape == (LARGEST, LARGEST - 1)
    assert small[3, 5] == pytest.approx(image[6:8, 10:12].mean())
    assert shrink(image[:7, :7]).shape == (7, 7)
    assert shrink(np.ones((LARGEST + 1, 3))) == pytest.approx(np.ones((LARGEST // 2 + 1, 2)))


def test_gallery_has_one_strip_a_method_and_says_what_is_missing(results):
    task = load(results).tasks[0]
    (results / "gallery" / "mnist5k-corner-isnet.npz").unlink()
    gallery = read_gallery(results, task)
    assert [p.id for p in gallery.photos] == [f"digit_{i:05d}" for i in range(8)]
    assert list(gallery.explainers) == ["integrated_gradients", "lrp_epsilon"]
    erm, isnet, path = gallery.explainers["lrp_epsilon"]
    assert isnet.reason == "gallery/mnist5k-corner-isnet.npz is missing" and not isnet.tiles
    assert (erm.through, isnet.through, path.through) == (False, True, True)
    # The stub plants 95 % and 11 % of the relevance outside the mask, and a wrong second prediction.
    assert {tile.outside for tile in erm.tiles} == {"0.95"} and {tile.outside for tile in path.tiles} == {"0.11"}
    assert [tile.right for tile in erm.tiles] == [True, False, *[True] * 6] and erm.tiles[1].predicted == 2
    assert not any(strip.through for strip in gallery.explainers["integrated_gradients"])


def _resave(path, **changes):
    with np.load(path) as file:
        content = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: array for name, array in content.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": None}, "lacks 'label'"),
        ({"label": np.arange(8) + 1}, "'label' of method 'isnet' differs"),
        ({"label": np.array(["x"] * 8)}, "type of 'label'"),
        ({"prediction": np.arange(7)}, "shape of 'prediction'"),
        ({"heatmap/lrp_epsilon": np.zeros((8, 3, 3))}, "shape of 'heatmap/lrp_epsilon'"),
        ({"image": np.zeros((8, 28, 28, 2), np.uint8)}, r"image \(8, 28, 28, 2\)"),
        ({"id": np.array([None] * 8)}, "cannot be read"),
    ],
)
def test_a_wrong_gallery_is_named(results, changes, words):
    _resave(results / "gallery" / "mnist5k-corner-isnet.npz", **changes)
    with pytest.raises(BenchmarkError, match=words):
        read_gallery(results, load(results).tasks[0])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_a_broken_gallery_or_sheet_is_named(results, content):
    task = load(results).tasks[0]
    (results / "gallery" / "mnist5k-corner-erm.npz").write_bytes(content)
    (results / "samples" / "mnist5k-corner.png").write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"mnist5k-corner-erm\.npz cannot be read"):
        read_gallery(results, task)
    with pytest.raises(BenchmarkError, match=r"mnist5k-corner\.png is no PNG"):
        read_sheet(results, task)
