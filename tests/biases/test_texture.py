import numpy as np
import pytest
from recipes import empty, made, plant, read, spectrum
from skimage import data
from skimage.feature import match_template

from benchmark.biases.texture import materials
from benchmark.errors import BenchmarkError


@pytest.mark.parametrize(("code", "photograph"), [(3, "brick"), (4, "grass"), (5, "gravel")])
def test_the_background_is_a_piece_of_the_photograph(code, photograph):
    image, mask = empty(1, 256, 256)  # two sides are 512 px, as the photographs: these codes are not magnified
    one, _ = plant(made("texture"), image, mask, [code], 6)
    found = match_template(getattr(data, photograph)().astype(float), one[0, ..., 0].astype(float))
    assert found.max() > 0.97  # not 1: its brightest and darkest pixels are cut
    row, column = np.unravel_index(found.argmax(), found.shape)
    piece = getattr(data, photograph)()[row : row + 256, column : column + 256]
    middle = np.abs(one[0, ..., 0].astype(float) - 128) < 100
    assert np.corrcoef(piece[middle], one[0, ..., 0][middle])[0, 1] > 0.999


def test_magnified_textures_are_coarser():
    once, twice, four = (materials(9, 100, 100)[k] for k in (3, 0, 6))
    steps = [np.abs(np.diff(one, axis=1)).mean() for one in (once, twice, four)]
    assert steps[0] > 1.3 * steps[1] > 1.3**2 * steps[2]


def test_all_textures_have_the_same_mean_and_contrast():
    for texture in materials(27, 28, 28):
        assert texture.mean() == pytest.approx(128, abs=2)
        assert texture.std() == pytest.approx(48, abs=5)


def test_images_show_different_pieces_of_one_texture():
    image, mask = empty(50, 28, 28)
    one, _ = plant(made("texture"), image, mask, np.zeros(50), 3)
    assert len(np.unique(one.reshape(50, -1), axis=0)) > 40  # of 29 x 29


def test_strength_blends_linearly():
    image, mask = empty(1, 28, 28, 1, level=60)
    full, _ = plant(made("texture"), image, mask, [0], 3)
    part, _ = plant(made("texture", strength=0.25), image, mask, [0], 3)
    assert np.abs(part - (60 + 0.25 * (full.astype(float) - 60))).max() <= 0.63  # both were rounded


@pytest.mark.parametrize("shape", [(20, 50), (50, 20)])
def test_oblong_images_are_filled(shape):
    image, mask = empty(40, *shape)
    one, _ = plant(made("texture"), image, mask, np.arange(40) % 27, 27)
    assert (one.std(axis=(1, 2, 3)) > 5).all()


@pytest.mark.parametrize("codes", [2, 10, 27])
def test_a_simple_reader_tells_the_codes_apart(codes):
    image, mask = empty(100 * codes, 28, 28)
    code = np.arange(len(image)) % codes
    one, _ = plant(made("texture"), image, mask, code, codes)
    assert read(spectrum(one), code, codes) >= 0.99


def test_more_codes_than_textures_are_refused():
    image, mask = empty(1, 28, 28)
    with pytest.raises(BenchmarkError, match="number of codes of texture; got 28; expected 27 at most"):
        plant(made("texture"), image, mask, [0], 28)
