import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from benchmark.api import Task
from benchmark.backbone import create_classifier
from benchmark.errors import BenchmarkError
from benchmark.guards import faithfulness
from benchmark.guards.faithfulness import NOISE, pixel_flipping, ranks, road

FIRST = torch.zeros(1, dtype=torch.int64)


class Brightness(nn.Module):
    """The probability of class 0 is the mean brightness; remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, image):
        self.shown.append(image.clone())
        bright = image.double().mean((1, 2, 3))
        return (torch.stack([bright, 1 - bright], 1) + 1e-30).log()


class Weighs(nn.Module):
    """Two classes: the first one's logit is the sum of `weight` times the pixels."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight, dtype=torch.float32))

    def forward(self, image):
        logit = (image * self.weight).sum((1, 2, 3))
        return torch.stack([logit, torch.zeros_like(logit)], 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def line(*pixels):
    return torch.tensor(pixels, dtype=torch.float32).reshape(1, 1, 1, -1)


def dots(seed=0, images=6, side=24):
    """Single bright pixels on black, half of which speak for class 0 and half against it, and their true relevance."""
    image, weight = np.zeros((images, 1, side, side)), np.zeros((side, side))
    places = rng(seed).permutation([(y, x) for y in range(1, side, 3) for x in range(1, side, 3)])
    for number, (y, x) in enumerate(places):
        image[:, 0, y, x] = rng(number).uniform(0.5, 1, images)
        weight[y, x] = 0.2 if number % 2 else -0.2
    return Weighs(weight), torch.tensor(image, dtype=torch.float32), image[:, 0] * weight


def classes(count):
    return torch.zeros(count, dtype=torch.int64)


# --- numbers -----------------------------------------------------------------------------------------


def test_pixel_flipping_by_hand():
    image, relevance = line(0.8, 0.4, 0.0, 0.0), np.array([[[4.0, 3.0, 2.0, 1.0]]])
    # removed pixels become 0.3. A quarter: (.8 + .4 + 0 + .3) / 4 - (.3 + .4) / 4 = .2; half: (1.8 - .6) / 4 = .3
    found = pixel_flipping(Brightness(), image, FIRST, relevance, rng(), shares=(0.25, 0.5))
    assert found == pytest.approx([0.25])


def test_road_by_hand(monkeypatch):
    monkeypatch.setattr(faithfulness, "NOISE", 0.0)
    image, relevance = line(1.0, 0.0, 0.5, 0.0), np.array([[[4.0, 2.0, 3.0, 1.0]]])
    # A quarter: the last pixel becomes .5 like its neighbour, sum 2; the first becomes 0, sum .5.
    # Half: the second and the last go, to (1 + .5) / 2 and .5, sum 2.75; the first and the third, to 0, sum 0.
    found = road(Brightness(), image, FIRST, relevance, rng(), shares=(0.25, 0.5))
    assert found == pytest.approx([(1.5 / 4 + 2.75 / 4) / 2])


@pytest.mark.parametrize("score", [road, pixel_flipping])
def test_the_true_order_beats_a_random_one_and_the_reversed_one_is_as_bad_as_it_is_good(score):
    model, image, relevance = dots()
    true = score(model, image, classes(6), relevance, rng())
    false = score(model, image, classes(6), -relevance, rng())
    shuffled = score(
        model, image, classes(6), rng(5).permuted(relevance.reshape(6, -1), axis=1).reshape(6, 24, 24), rng()
    )
    assert (true > 0.3).all()
    assert (true > shuffled + 0.2).all()
    np.testing.assert_allclose(false, -true, atol=0.1)


def test_reversing_a_map_without_ties_reverses_the_sign_exactly(monkeypatch):
    monkeypatch.setattr(faithfulness, "NOISE", 0.0)
    model, image, relevance = dots()
    relevance = relevance + 1e-6 * rng(1).random(relevance.shape)
    for score in (road, pixel_flipping):
        true = score(model, image, classes(6), relevance, rng())
        np.testing.assert_array_equal(score(model, image, classes(6), -relevance, rng()), -true)


def test_evidence_against_the_class_counts_when_the_order_is_signed():
    model, image, relevance = dots()
    signed = road(model, image, classes(6), relevance, rng()).mean()
    absolute = road(model, image, classes(6), np.abs(relevance), rng()).mean()
    assert signed > 0.3
    assert abs(absolute) < 0.15  # half of what is removed first speaks against the class


@pytest.mark.parametrize("score", [road, pixel_flipping])
def test_a_constant_map_is_a_random_order_and_scores_zero_on_average(score):
    model, image, _ = dots(images=1)
    many = score(model, image.expand(300, -1, -1, -1), classes(300), np.ones((300, 24, 24)), rng(), shares=(0.3,))
    assert many.std() > 0.1
    assert abs(many.mean()) < 4 * many.std() / np.sqrt(300)


def test_the_score_of_the_other_class_is_the_negative_one():
    model, image, relevance = dots()
    first = pixel_flipping(model, image, classes(6), relevance, rng())
    second = pixel_flipping(model, image, classes(6) + 1, relevance, rng())
    np.testing.assert_allclose(second, -first, atol=1e-7)


# --- what the model is shown -------------------------------------------------------------------------


def test_the_model_is_shown_whole_batches_in_order_with_the_right_pixels_removed():
    model, image = Brightness(), torch.rand(3, 2, 10, 10, generator=torch.Generator().manual_seed(0))
    relevance = rng(7).normal(size=(3, 10, 10))
    road(model, image, classes(3), relevance, rng(), shares=(0.1, 0.3))
    assert [len(shown) for shown in model.shown] == [3, 3, 3, 3]
    flat = relevance.reshape(3, -1)
    for shown, count, first in zip(model.shown, [10, 30, 10, 30], [True, True, False, False], strict=True):
        changed = (shown != image).numpy()
        np.testing.assert_array_equal(changed[:, 0], changed[:, 1])
        order = np.argsort(flat if first else -flat, axis=1)[:, :count]
        expected = np.zeros((3, 100), bool)
        np.put_along_axis(expected, order, True, axis=1)
        np.testing.assert_array_equal(changed[:, 0].reshape(3, -1), expected)
        assert shown.dtype == image.dtype


def test_filled_pixels_carry_a_little_noise_and_stay_in_range():
    model, image = Brightness(), torch.full((4, 1, 20, 20), 0.5)
    road(model, image, classes(4), rng(1).normal(size=(4, 20, 20)), rng(), shares=(0.5,))
    filled = torch.stack(model.shown)
    added = (filled - 0.5)[filled != 0.5]
    assert added.std().item() == pytest.approx(NOISE, rel=0.1)
    assert added.mean().item() == pytest.approx(0, abs=NOISE / 5)
    black = Brightness()
    road(black, torch.zeros(4, 1, 20, 20) + line(*[1e-3] * 20), classes(4), rng(1).normal(size=(4, 20, 20)), rng())
    assert all(shown.min() >= 0 for shown in black.shown)


def test_a_model_with_one_mask_an_image_meets_its_own_masks():
    class Masked(nn.Module):
        def forward(self, image):
            return Brightness()(image * mask.repeat(len(image) // len(mask), 1, 1, 1))

    mask = (torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    image = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    relevance = rng(3).normal(size=(5, 8, 8))
    together = pixel_flipping(Masked(), image, classes(5), relevance, rng())
    whole = mask
    for row in range(5):
        mask = whole[row : row + 1]
        alone = pixel_flipping(Masked(), image[row : row + 1], FIRST, relevance[row : row + 1], rng())
        assert alone[0] == pytest.approx(together[row], abs=1e-7)


# --- randomness and side effects ---------------------------------------------------------------------


def test_equal_generators_give_equal_bits_and_others_do_not():
    model, image, relevance = dots()
    first, again, other = (road(model, image, classes(6), relevance, rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_model_images_maps_and_global_random_states_are_left_alone():
    torch.manual_seed(0)
    model = create_classifier(Task("test_resnet", 3, 1, 28, 28)).eval()
    image, target, relevance = torch.rand(4, 1, 28, 28), torch.tensor([0, 1, 2, 0]), rng(2).normal(size=(4, 28, 28))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    kept = image.clone(), relevance.copy(), torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = road(model, image, target, relevance, rng())
    assert found.shape == (4,)
    assert found.dtype == np.float64
    assert (np.abs(found) <= 1).all()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(image, kept[0])
    np.testing.assert_array_equal(relevance, kept[1])
    assert torch.equal(torch.get_rng_state(), kept[2])
    np.testing.assert_array_equal(np.random.get_state()[1], kept[3])  # noqa: NPY002


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.integers(1, 6))
def test_ranks_are_permutations_in_the_order_of_the_map(seed, levels):
    relevance = rng(seed).integers(0, levels, (3, 4, 5)).astype(float)
    found = ranks(relevance, rng(seed)).reshape(3, -1)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(20), (3, 1)))
    for row, each in zip(found, relevance.reshape(3, -1), strict=True):
        assert (np.diff(each[np.argsort(row)]) >= 0).all()


def test_ties_are_broken_evenly():
    # one pixel of three equal ones is last in a third of the draws: sd of the share 0.0086
    last = ranks(np.ones((3000, 1, 3)), rng()).reshape(3000, 3).argmax(1)
    assert np.abs(np.bincount(last, minlength=3) / 3000 - 1 / 3).max() < 0.035


# --- faults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [road, pixel_flipping])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relevance": np.ones((2, 1, 4, 4))}, "Sum the relevance over channels first"),
        ({"relevance": np.ones((1, 4, 4))}, "shapes"),
        ({"target": torch.zeros(3, dtype=torch.int64)}, "shapes"),
        ({"image": torch.zeros(0, 1, 4, 4), "target": classes(0), "relevance": np.ones((0, 4, 4))}, "shapes"),
        ({"relevance": np.stack([np.ones((4, 4)), np.full((4, 4), np.nan)])}, "relevance of image 1 is not finite"),
        ({"image": torch.full((2, 1, 4, 4), 255.0)}, r"values in \[0, 1\]"),
        ({"image": torch.full((2, 1, 4, 4), torch.nan)}, r"values in \[0, 1\]"),
        ({"shares": ()}, "shares of removed pixels"),
        ({"shares": (0.5, 1.0)}, r"numbers in \(0, 1\)"),
        ({"shares": (0.99,)}, "share 0.99 removes 16 of 16 pixels"),
        ({"shares": (0.01,)}, "share 0.01 removes 0 of 16 pixels"),
        ({"model": Weighs(np.full((4, 4), np.nan))}, "logits of images with removed pixels"),
        ({"model": nn.Identity()}, "logits of images with removed pixels"),
    ],
)
def test_faults_are_told(score, change, message):
    given = {
        "model": Weighs(np.ones((4, 4))),
        "image": torch.full((2, 1, 4, 4), 0.5),
        "target": classes(2),
        "relevance": np.ones((2, 4, 4)),
        "rng": rng(),
    }
    with pytest.raises(BenchmarkError, match=message):
        score(**(given | change))


@pytest.mark.parametrize("measure", [road, pixel_flipping])
def test_a_map_of_zeros_says_nothing_and_has_no_value(measure):
    model, image, relevance = dots()
    relevance[2] = 0
    found = measure(model, image, classes(6), relevance, rng())
    assert np.isnan(found).tolist() == [False, False, True, False, False, False]
