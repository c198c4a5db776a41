"""What holds for every planted bias, whatever the images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from recipes import RECIPES, WITH_JITTER, ids, made, plant, with_objects

from benchmark.config import read_yaml
from benchmark.errors import BenchmarkError
from benchmark.paths import data_root
from benchmark.seeding import Draws

YAMLS = Path(__file__).resolve().parents[2] / "pipelines" / "configs" / "biases"
every_recipe = pytest.mark.parametrize("name", RECIPES)
quickly = settings(deadline=None, max_examples=15)


@st.composite
def plantings(draw):
    """Images with foreground, codes and their number, random numbers, and jitter for those that have it."""
    height, width = draw(st.sampled_from([(28, 28), (36, 44), (45, 32)]))
    count, codes = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    image, mask = with_objects(count, height, width, draw(st.sampled_from([1, 3])), rng)
    jitter = draw(st.sampled_from([0.0, 0.1, 0.3]))
    return image, mask, rng.integers(0, codes, count), codes, Draws(draw(st.integers(0, 9)), ids(count)), jitter


def dialled(name, jitter, **others):
    return made(name, **({"jitter": jitter} if name in WITH_JITTER else {}), **others)


@every_recipe
@quickly
@given(planting=plantings(), strength=st.floats(0, 1))
def test_nothing_changes_but_the_mark_which_lies_in_the_background(name, planting, strength):
    image, mask, code, codes, draws, jitter = planting
    planted, mark = plant(dialled(name, jitter, strength=strength), image, mask, code, codes, draws)
    assert (planted.shape, planted.dtype, mark.shape, mark.dtype) == (image.shape, np.uint8, mask.shape, np.uint8)
    assert set(np.unique(mark)) <= {0, 1}
    assert mark.any(axis=(1, 2)).all()
    assert not (mark & mask).any()
    assert np.array_equal(planted[mark == 0], image[mark == 0])


@every_recipe
@quickly
@given(planting=plantings(), strength=st.floats(0.01, 1))
def test_strength_0_leaves_the_image_alone_and_the_mark_does_not_depend_on_it(name, planting, strength):
    image, mask, code, codes, draws, jitter = planting
    same, mark = plant(dialled(name, jitter, strength=0), image, mask, code, codes, draws)
    assert np.array_equal(same, image)
    assert np.array_equal(plant(dialled(name, jitter, strength=strength), image, mask, code, codes, draws)[1], mark)


@every_recipe
@quickly
@given(planting=plantings())
def test_more_strength_changes_more(name, planting):
    image, mask, code, codes, draws, jitter = planting
    changes = []
    for strength in (0, 0.05, 0.2, 0.5, 0.9, 1):
        planted, _ = plant(dialled(name, jitter, strength=strength), image, mask, code, codes, draws)
        changes.append(np.abs(planted.astype(int) - image).mean(axis=(1, 2, 3)))
    assert (np.diff(changes, axis=0) >= 0).all()
    assert (changes[-1] > changes[0]).all()


@every_recipe
@quickly
@given(planting=plantings(), data=st.data())
def test_an_image_looks_the_same_whatever_others_there_are_and_in_any_order(name, planting, data):
    image, mask, code, codes, draws, jitter = planting
    bias = dialled(name, jitter)
    planted, mark = plant(bias, image, mask, code, codes, draws)
    rows = np.array(data.draw(st.lists(st.integers(0, len(image) - 1), min_size=1, unique=True)))
    again, mark_again = plant(dialled(name, jitter), image[rows], mask[rows], code[rows], codes, draws.take(rows))
    assert np.array_equal(again, planted[rows])
    assert np.array_equal(mark_again, mark[rows])


@every_recipe
def test_blocks_of_many_images_are_painted_as_one_by_one(name):
    image, mask = with_objects(900, 28, 28, 3, np.random.default_rng(0))  # more than are worked on at once
    code, draws, bias = np.arange(900) % 4, Draws(0, ids(900)), dialled(name, 0.1)
    planted, mark = plant(bias, image, mask, code, 4, draws)
    for row in (0, 222, 223, 450, 899):
        one = slice(row, row + 1)
        again, mark_again = plant(bias, image[one], mask[one], code[one], 4, draws.take(one))
        assert np.array_equal(again[0], planted[row])
        assert np.array_equal(mark_again[0], mark[row])


@every_recipe
@quickly
@given(planting=plantings())
def test_one_image_differs_under_two_codes(name, planting):
    image, mask, _, _, draws, jitter = planting
    bias = dialled(name, jitter)
    planted = [plant(bias, image, mask, np.full(len(image), k), 4, draws)[0] for k in range(4)]
    for k in range(1, 4):
        assert (planted[k] != planted[k - 1]).any(axis=(1, 2, 3)).all()


@every_recipe
def test_the_arguments_are_not_changed(name):
    image, mask = with_objects(3, 28, 28, 3, np.random.default_rng(0))
    code = np.array([0, 1, 2])
    before = image.copy(), mask.copy(), code.copy()
    made(name).plant(image, mask, code, 3, Draws(0, ids(3)))
    assert all(np.array_equal(one, other) for one, other in zip((image, mask, code), before, strict=True))


@every_recipe
def test_no_images_are_no_error(name):
    image, mask = with_objects(2, 28, 28, 1, np.random.default_rng(0))
    planted, mark = plant(made(name), image[:0], mask[:0], np.zeros(0), 2, Draws(0, ids(0)))
    assert planted.shape == (0, 28, 28, 1)
    assert mark.shape == (0, 28, 28)


@every_recipe
def test_an_image_without_background_is_an_error_that_names_it(name):
    image, mask = with_objects(3, 28, 28, 1, np.random.default_rng(0))
    mask[1] = 1
    with pytest.raises(BenchmarkError, match="image number 1 has no background where mark 0 belongs"):
        plant(made(name), image, mask, [0, 0, 0], 2)


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "corner"])
@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_code_that_does_not_exist_is_refused(name, wrong):
    image, mask = with_objects(2, 28, 28, 1, np.random.default_rng(0))
    with pytest.raises(BenchmarkError, match=f"image number 1; got {wrong}; expected a code from 0 to 2"):
        plant(made(name), image, mask, [0, wrong], 3)


@every_recipe
@pytest.mark.parametrize("bad", [{"strength": 1.1}, {"strength": -0.1}, {"colour_of_the_moon": 1}])
def test_settings_out_of_range_are_refused(name, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        made(name, **bad)


@every_recipe
@pytest.mark.parametrize("side", [28, 64, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_settings_file_plants_ten_codes_in_images_of_any_size(name, side, channels):
    bias = made(name, **read_yaml(YAMLS / f"{name}.yaml"))
    image, mask = with_objects(10, side, side, channels, np.random.default_rng(0))
    planted, mark = plant(bias, image, mask, np.arange(10), 10)
    assert (planted != image).any(axis=(1, 2, 3)).all()
    assert mark.any(axis=(1, 2)).all()


@pytest.fixture(scope="module")
def x_rays():
    """Twelve chest X-rays of 224 x 224 px with lung masks."""
    folder = data_root() / "tb"
    if not (folder / "index.csv").is_file():
        pytest.skip(f"no chest X-rays in {folder}")
    table = pd.read_csv(folder / "index.csv").dropna(subset="mask").iloc[::60][:12]
    image, lungs = ([np.asarray(Image.open(folder / file)) for file in table[name]] for name in ("file", "mask"))
    return np.stack(image)[..., None], np.stack(lungs).astype(bool).astype(np.uint8), table["file"].to_numpy(str)


@every_recipe
def test_real_x_rays_get_visible_marks_outside_the_lungs(name, x_rays):
    image, mask, names = x_rays
    bias = made(name, **read_yaml(YAMLS / f"{name}.yaml"))
    planted, mark = plant(bias, image, mask, np.arange(12) % 6, 6, Draws(0, names))
    assert not (mark & mask).any()
    assert np.array_equal(planted[mark == 0], image[mark == 0])
    assert (mark.sum(axis=(1, 2)) >= 100).all()
    assert (planted != image).any(axis=(1, 2, 3)).all()


@every_recipe
def test_a_recipe_says_where_it_comes_from(name):
    assert len(RECIPES[name].source) > 10
