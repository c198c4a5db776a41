import numpy as np
import pytest
from recipes import empty, made, plant, read, spectrum

from benchmark.errors import BenchmarkError


def waves(code, codes, side=64, count=1, level=128, **settings):
    image, mask = empty(count, side, side, 1, level)
    one, _ = plant(made("noise", **settings), image, mask, np.full(count, code), codes)
    return one[..., 0].astype(float)


def peak(image):
    """Waves down and across, of the strongest frequency."""
    amplitude = np.abs(np.fft.fft2(image - image.mean()))
    row, column = np.unravel_index(amplitude[:, : image.shape[1] // 2].argmax(), (len(image), image.shape[1] // 2))
    return (row if row <= len(image) // 2 else row - len(image)), column


@pytest.mark.parametrize(
    ("code", "codes", "size", "expected"),
    [
        (0, 2, 0.25, (0, 4)),  # four waves across
        (1, 2, 0.25, (4, 0)),  # four waves down
        (0, 1, 0.125, (0, 8)),
        (1, 4, 0.125 / np.sqrt(2), (8, 8)),  # 8 sqrt(2) waves at 45 degrees
        (3, 4, 0.125 / np.sqrt(2), (-8, 8)),
        (5, 10, 0.25 * np.sqrt(2), (0, 4)),  # the second of two frequencies: sqrt(2) times the first
        (16, 24, 0.25, (0, 8)),  # the third of three: twice the first
    ],
)
def test_the_strongest_frequency_is_that_of_the_code(code, codes, size, expected):
    row, column = peak(waves(code, codes, strength=0.5, size=size)[0])
    assert (abs(row), column) == (abs(expected[0]), expected[1])
    assert row * expected[0] >= 0 or column == 0


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_the_wave_is_as_high_as_the_strength_says_and_starts_anywhere(strength):
    images = waves(0, 2, count=500, level=127, strength=strength)
    assert images.mean() == pytest.approx(127, abs=0.5)
    # the root mean square of a sine is its height over the root of 2
    assert np.sqrt(((images - 127) ** 2).mean()) == pytest.approx(127.5 * strength / np.sqrt(2), rel=0.02)
    phase = np.angle(np.fft.fft2(images)[:, 0, 4])
    assert np.histogram(phase, 4, (-np.pi, np.pi))[0].min() > 80
    assert np.ptp(images, axis=1).max() <= 1  # across: all rows are equal


def test_black_shows_only_the_upper_half():
    image = waves(0, 2, level=0, strength=0.4, count=50)
    assert image.max() == 51
    assert (image == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_all_channels_get_the_same_wave():
    image, mask = empty(2, 28, 28, 3, 90)
    one, mark = plant(made("noise", strength=0.3), image, mask, [0, 1], 2)
    assert np.ptp(one, axis=-1).max() == 0
    assert mark.all()


@pytest.mark.parametrize(("side", "codes"), [(28, 10), (28, 24), (64, 40)])
def test_a_simple_reader_tells_the_codes_apart(side, codes):
    image, mask = empty(40 * codes, side, side)
    code = np.arange(len(image)) % codes
    one, _ = plant(made("noise"), image, mask, code, codes)
    assert read(spectrum(one), code, codes) >= 0.99


@pytest.mark.parametrize(("side", "most"), [(28, 24), (224, 72)])
def test_more_codes_than_waves_are_refused(side, most):
    image, mask = empty(1, side, side)
    plant(made("noise"), image, mask, [most - 1], most)
    with pytest.raises(BenchmarkError, match=rf"number of codes of noise.*got {most + 1}; expected {most} at most"):
        plant(made("noise"), image, mask, [0], most + 1)


def test_waves_shorter_than_three_pixels_are_refused():
    with pytest.raises(BenchmarkError, match=r"waves of 1.4 px and shorter; got 2; expected 0 at most. Make the waves"):
        waves(0, 2, side=28, size=0.05)
