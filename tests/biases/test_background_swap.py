import numpy as np
import pytest
from PIL import Image
from recipes import empty, made, plant, spectrum
from scipy.spatial.distance import cdist
from skimage import data
from skimage.feature import match_template

from benchmark.errors import BenchmarkError


def save(path, colour, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, tuple(colour)).save(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three groups with two photographs of one colour each."""
    monkeypatch.setenv("SHORTCUT_BENCH_DATA", str(tmp_path))
    for k, group in enumerate(("air", "land", "water")):
        for shade in range(2):
            save(tmp_path / "places" / group / f"{shade}.png", (50 * k, 10 + 100 * shade, 200))
    return tmp_path / "places"


def test_the_background_is_a_piece_of_the_codes_photograph():
    image, mask = empty(8, 96, 96)
    one, _ = plant(made("background_swap"), image, mask, np.full(8, 3), 4)  # the brick wall: 512 px, made 144 px
    wall = np.asarray(Image.fromarray(data.brick()).resize((144, 144), Image.Resampling.BILINEAR)).astype(float)
    straight = [match_template(wall, each[..., 0].astype(float)).max() for each in one]
    mirrored = [match_template(wall[:, ::-1], each[..., 0].astype(float)).max() for each in one]
    assert np.maximum(straight, mirrored) == pytest.approx(1, abs=1e-3)
    assert {bool(a > b) for a, b in zip(straight, mirrored, strict=True)} == {True, False}


def test_the_object_stays_in_front():
    image, mask = empty(1, 28, 28, 3, level=7)
    mask[0, 10:20, 10:20] = 1
    one, mark = plant(made("background_swap"), image, mask, [2], 4)
    assert (one[mask == 1] == 7).all()
    assert np.array_equal(mark, 1 - mask)
    assert (one[mask == 0] != 7).mean() > 0.9


def test_a_folder_gives_each_code_a_group_in_the_order_of_names(folder):
    image, mask = empty(60, 28, 28, 3)
    code = np.arange(60) % 3
    one, _ = plant(made("background_swap", folder="places"), image, mask, code, 3)
    assert np.ptp(one, axis=(1, 2)).max() == 0
    colour = one[:, 0, 0].astype(int)
    assert np.array_equal(colour[:, 0], 50 * code)
    for k in range(3):
        assert set(colour[code == k, 1]) == {10, 110}  # both photographs come


def test_one_channel_gets_luminance(folder):
    image, mask = empty(1, 28, 28, 1)
    one, _ = plant(made("background_swap", folder="places", photographs=1), image, mask, [2], 3)
    assert (one == round(0.299 * 100 + 0.587 * 10 + 0.114 * 200)).all()


def test_no_more_photographs_are_taken_than_the_settings_say(folder):
    image, mask = empty(30, 28, 28, 3)
    one, _ = plant(made("background_swap", folder="places", photographs=1), image, mask, np.zeros(30), 2)
    assert (one[..., 1] == 10).all()


def test_oblong_images_get_undistorted_photographs(folder):
    (folder / "air" / "1.png").unlink()
    Image.linear_gradient("L").resize((300, 300)).save(folder / "air" / "0.png")  # black above, white below
    image, mask = empty(1, 20, 60, 1)
    one, _ = plant(made("background_swap", folder="places"), image, mask, [0], 1)
    # 300 px become 90 px each way (1.5 times the wider side), so a row is 255 / 90 levels brighter than the one above
    slope = np.diff(one[0, :, 0, 0].astype(float)).mean()
    assert slope == pytest.approx(255 / 90, rel=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_simple_reader_tells_the_shipped_backgrounds_apart(channels):
    image, mask = empty(1200, 28, 28, channels)
    code = np.arange(1200) % 12
    one, _ = plant(made("background_swap"), image, mask, code, 12)
    # the frequencies and the colours of the four quarters, in order of brightness
    quarters = one.reshape(1200, 2, 14, 2, 14, channels).mean(axis=(2, 4)).reshape(1200, 4, channels)
    feature = np.column_stack([spectrum(one), 0.2 * np.sort(quarters, axis=1).reshape(1200, -1)])
    nearest = cdist(feature[600:], feature[:600]).argmin(axis=1)
    assert (code[:600][nearest] == code[600:]).mean() >= 0.99


def test_more_codes_than_shipped_groups_are_refused():
    image, mask = empty(1, 28, 28)
    with pytest.raises(BenchmarkError, match=r"got 13; expected 12 at most. Name a folder of backgrounds"):
        plant(made("background_swap"), image, mask, [0], 13)


def test_folders_that_hold_no_backgrounds_are_refused(folder):
    image, mask = empty(1, 28, 28)

    def planted(codes=3, name="places"):
        plant(made("background_swap", folder=name), image, mask, [0], codes)

    with pytest.raises(BenchmarkError, match=r"folder of backgrounds .*nowhere is missing"):
        planted(name="nowhere")
    with pytest.raises(BenchmarkError, match=r"folders of photographs in .*places; got 3; expected 4"):
        planted(codes=4)
    (folder / "land" / "0.png").write_bytes(b"<html>not found</html>")
    with pytest.raises(BenchmarkError, match=r"background .*land/0.png is not a readable photograph"):
        planted()
    for file in (folder / "land").iterdir():
        file.unlink()
    with pytest.raises(BenchmarkError, match=r"no photograph in .*land"):
        planted()


@pytest.mark.parametrize("outside", ["/etc", "../places", "a/../../b", "..", "a\\b"])
def test_a_folder_outside_the_data_root_is_refused(outside):
    with pytest.raises(ValueError, match="not below the data root"):
        made("background_swap", folder=outside)
