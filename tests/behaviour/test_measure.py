from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from benchmark.behaviour.composites import SIGMA, noise_of
from benchmark.behaviour.measure import ask, measure
from benchmark.behaviour.prepare import prepare
from benchmark.errors import BenchmarkError
from benchmark.metrics.named import metric_named
from tests.behaviour.scenes import (
    CLASSES,
    MARK,
    SIDE,
    SURE,
    ink,
    reads_foreground,
    reads_mark,
    says_zero,
    shown,
    variants,
)

SWAPS = {
    "swapped_same_accuracy",
    "swapped_other_accuracy",
    "background_gap",
    "background_swap_flip_rate",
    "background_swap_effect",
    "adversarial_background_robustness",
}
REGIONS = {
    "only_background_accuracy",
    "no_foreground_accuracy",
    "foreground_noise_accuracy",
    "background_noise_accuracy",
}
INJECTED = {"injection_gap", "injection_pull"}
EVERY = {(name, "iid") for name in SWAPS | REGIONS} | {(name, "deceiving") for name in INJECTED}


@pytest.fixture(scope="module")
def composites():
    return prepare(variants(90))


def values(predict, composites):
    return {name: found for (name, _), found in measure(predict, composites).items()}


def linear(image, mask):
    """A model that reads every pixel, and is never sure."""
    return image.reshape(len(image), -1) @ np.random.default_rng(0).normal(size=(SIDE * SIDE, CLASSES)) / 200


def check(found, expected):
    """Each metric of each image is the expected one, a number or one an image."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], np.broadcast_to(value, found[name].shape), atol=1e-6, err_msg=name)


def test_a_model_that_reads_the_mark_follows_it_wherever_it_goes(composites):
    iid = composites.shown["iid"]
    zero = iid.label == 0  # a mark that is not there, or not exactly there, leaves it undecided: class 0
    noise = noise_of(iid.id, SIDE, SIDE, 1)[:, 0, :CLASSES, 0]
    row, column = np.arange(90), iid.code
    untouched = np.abs(255 * SIGMA * np.sqrt(SIDE * SIDE / 2 / 128) * noise[row, column]) < 0.5
    check(
        values(reads_mark, composites),
        {
            "swapped_same_accuracy": 1,
            "swapped_other_accuracy": 0,
            "background_gap": 1,
            "background_swap_flip_rate": 1,
            "background_swap_effect": 1,
            "adversarial_background_robustness": 0,
            "only_background_accuracy": 1,
            "no_foreground_accuracy": 1,
            "foreground_noise_accuracy": 1,
            "background_noise_accuracy": zero | untouched,
            "injection_gap": zero,
            "injection_pull": 1 - 1 / 3,  # undecided without a mark: a third for each class
        },
    )


def test_a_model_that_reads_the_foreground_changes_with_nothing_behind_it(composites):
    iid = composites.shown["iid"]
    zero = iid.label == 0  # black, and paper, are nearest to the ink of class 0
    noise = noise_of(iid.id, SIDE, SIDE, 1)[:, 5, 5, 0].astype(float)
    seen = np.clip(np.rint(ink(iid.label) + 255 * SIGMA * np.sqrt(SIDE * SIDE / 2 / 16) * noise), 0, 255)
    taken_for = np.digitize(seen, [80.5, 120.5])  # half way between inks, the first of two as near
    check(
        values(reads_foreground, composites),
        {
            "swapped_same_accuracy": 1,
            "swapped_other_accuracy": 1,
            "background_gap": 0,
            "background_swap_flip_rate": 0,
            "background_swap_effect": 0,
            "adversarial_background_robustness": 1,
            "only_background_accuracy": zero,
            "no_foreground_accuracy": zero,
            "foreground_noise_accuracy": taken_for == iid.label,
            "background_noise_accuracy": 1,
            "injection_gap": 0,
            "injection_pull": 0,
        },
    )
    assert 0.2 < (taken_for == iid.label).mean() < 0.8


def test_a_constant_model_is_right_on_its_class_and_moved_by_nothing(composites):
    zero = composites.shown["iid"].label == 0
    nothing = {"background_gap", "background_swap_flip_rate", "background_swap_effect"} | INJECTED
    found = values(says_zero, composites)
    check(found, {name: 0 if name in nothing else zero for name in found})


def test_a_model_without_an_answer_has_no_behaviour(composites):
    found = measure(lambda image, mask: np.full((len(image), CLASSES), np.nan), composites)
    assert found.keys() == EVERY
    assert all(np.isnan(each).all() for each in found.values())


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_one_missing_answer_is_left_out_of_means_but_not_called_robust(composites, strange):
    def speechless_on_mark_2(image, mask):
        logits = reads_foreground(image, mask)
        logits[image[:, 0, 2, 0] == MARK, 1] = strange
        return logits

    iid = composites.shown["iid"]
    found = values(speechless_on_mark_2, composites)
    own = iid.label == 2
    met = (iid.code[composites.other] == 2).any(1)
    every = (iid.code[composites.other] == 2).all(1)
    assert met[~own].any()
    np.testing.assert_array_equal(found["swapped_other_accuracy"], np.where(every, np.nan, 1))
    np.testing.assert_array_equal(found["swapped_same_accuracy"], np.where(own, np.nan, 1))
    np.testing.assert_array_equal(found["background_swap_flip_rate"], np.where(own | every, np.nan, 0))
    np.testing.assert_array_equal(found["adversarial_background_robustness"], np.where(met, np.nan, 1))
    np.testing.assert_array_equal(found["injection_gap"], np.where(composites.shown["deceiving"].code == 2, np.nan, 0))


def test_a_share_of_the_changes_is_counted_one_by_one(composites):
    """A model that gives in to the mark of class 1 alone."""
    iid = composites.shown["iid"]

    def gives_in(image, mask):
        return np.where((image[:, 0, 1, 0] == MARK)[:, None], SURE * np.eye(3)[1], reads_foreground(image, mask))

    moved = [
        sum(iid.label[other] == 1 for other in row if iid.label[own] != 1) for own, row in enumerate(composites.other)
    ]
    found = values(gives_in, composites)
    np.testing.assert_allclose(found["background_swap_flip_rate"], np.divide(moved, 5), atol=1e-6)
    np.testing.assert_allclose(found["background_swap_effect"], np.divide(moved, 5), atol=1e-6)
    np.testing.assert_allclose(found["swapped_other_accuracy"], 1 - np.divide(moved, 5), atol=1e-6)
    np.testing.assert_allclose(found["background_gap"], np.divide(moved, 5), atol=1e-6)
    np.testing.assert_array_equal(found["adversarial_background_robustness"], np.equal(moved, 0))
    assert set(moved) >= {0, 2, 3}


def test_the_declared_directions_prefer_a_model_that_reads_the_foreground(composites):
    good, bad = measure(reads_foreground, composites), measure(reads_mark, composites)
    for key, values_of_good in good.items():
        better = values_of_good.mean(dtype=float) - bad[key].mean(dtype=float)
        better *= 1 if metric_named(key[0]).higher_is_better else -1
        assert better == 0 if key[0] == "swapped_same_accuracy" else better > 0, key


def test_a_model_with_masks_gets_the_mask_of_what_is_in_front(composites):
    iid, calls = composites.shown["iid"], []

    def keeps(image, mask):
        calls.append((image[:, 5, 5, 0], mask))
        return says_zero(image, mask)

    measure(keeps, composites)
    fronts, masks = (np.concatenate(each) for each in zip(*calls, strict=True))
    left = masks.any((1, 2))
    np.testing.assert_array_equal(masks[left], np.broadcast_to(iid.mask[0], (left.sum(), SIDE, SIDE)))
    assert (~left).sum() == 2 * len(iid)  # only background, no foreground
    assert set(fronts[~left].tolist()) == {0, 10}


def test_images_without_foreground_or_background_have_no_behaviour_and_disturb_no_others():
    images = variants(30)
    mask = images["iid"].mask.copy()
    mask[4], mask[9] = 0, 1
    odd = [4, 9]
    found = measure(says_zero, prepare({name: replace(each, mask=mask) for name, each in images.items()}))
    assert found.keys() == EVERY
    for key, each in found.items():
        assert np.isnan(each[odd]).all(), key
        assert np.isfinite(np.delete(each, odd)).all(), key
        assert each.dtype == np.float32


def test_a_foreground_whose_box_is_the_image_leaves_no_background_to_show_alone():
    images = variants(30)["iid"]
    mask = images.mask.copy()
    mask[3, [0, -1], [-1, 0]] = 1
    found = values(says_zero, prepare({"iid": replace(images, mask=mask)}))
    for name, each in found.items():
        assert np.flatnonzero(np.isnan(each)).tolist() == ([3] if name == "only_background_accuracy" else []), name


@pytest.mark.parametrize(
    ("kept", "measured"),
    [
        (("iid",), SWAPS | REGIONS),
        (("iid", "ood"), SWAPS | REGIONS),
        (("iid", "deceiving"), SWAPS | REGIONS),
        (("ood", "deceiving"), INJECTED),
        (("deceiving",), set()),
        (("ood",), set()),
        ((), set()),
    ],
)
def test_what_lacks_its_variants_is_left_out(kept, measured):
    images = variants(12)
    found = measure(says_zero, prepare({name: images[name] for name in kept}))
    assert {name for name, _ in found} == measured


def test_variants_that_show_different_images_are_not_compared():
    images = variants(12)
    apart = images | {"ood": shown(images["ood"].label, images["ood"].code, first=100)}
    assert {name for name, _ in measure(says_zero, prepare(apart))} == SWAPS | REGIONS
    shuffled = images | {"ood": images["ood"].take(np.arange(12)[::-1])}
    assert {name for name, _ in measure(says_zero, prepare(shuffled))} == SWAPS | REGIONS


def test_an_image_that_got_no_mark_has_no_injection():
    images = variants(12)
    bare = images["ood"].take(slice(0, 4))
    code, image, mark = (getattr(images["deceiving"], name).copy() for name in ("code", "image", "mark"))
    code[:4], image[:4], mark[:4] = bare.code, bare.image, bare.mark
    deceiving = replace(images["deceiving"], code=code, image=image, mark=mark)
    found = values(reads_mark, prepare(images | {"deceiving": deceiving}))
    for name in INJECTED:
        assert np.flatnonzero(np.isnan(found[name])).tolist() == [0, 1, 2, 3]


def test_a_mark_that_classes_share_pulls_to_all_of_them():
    """Two codes for three classes: code 0 speaks for classes 0 and 2."""
    label = np.array([1, 1])
    images = {"ood": shown(label, [-1, -1]), "deceiving": shown(label, [0, 0])}

    def splits(image, mask):
        marked = image[:, 0, 0, 0] == MARK
        return np.log(np.where(marked[:, None], [0.3, 0.2, 0.5], [0.1, 0.8, 0.1]))

    pull = values(splits, prepare(images, codes=2))["injection_pull"]
    np.testing.assert_allclose(pull, (0.3 + 0.5) - (0.1 + 0.1), rtol=1e-6)
    pull = values(splits, prepare(images))["injection_pull"]
    np.testing.assert_allclose(pull, 0.3 - 0.1, rtol=1e-6)


def test_images_without_partners_are_not_swapped():
    found = values(reads_mark, prepare({"iid": shown([0, 1, 1], [0, 1, 1])}))
    assert np.isnan(found["swapped_same_accuracy"]).tolist() == [True, False, False]
    assert np.isnan(found["background_gap"]).tolist() == [True, False, False]
    # Fewer than five backgrounds are asked about all the same.
    assert found["background_swap_flip_rate"].tolist() == [1, 1, 1]


def test_the_behaviour_of_an_image_does_not_depend_on_the_order_of_the_images():
    images = variants(90)
    order = np.random.default_rng(0).permutation(90)
    first = measure(linear, prepare(images))
    again = measure(linear, prepare({name: each.take(order) for name, each in images.items()}))
    assert first.keys() == again.keys() == EVERY
    for key, each in first.items():
        np.testing.assert_allclose(again[key], each[order], atol=1e-6)
    assert len(np.unique(first["background_swap_effect", "iid"])) > 10  # it is not one number for all


def test_the_partners_that_are_measured_are_those_that_were_prepared(composites):
    """A second, slow way: each image in front of each background, put together by hand."""
    iid = composites.shown["iid"]
    found = values(linear, composites)
    probability = softmax(linear(iid.image, iid.mask), axis=1)
    for row in (0, 17, 89):
        flips, changes = [], []
        for other in composites.other[row]:
            image = iid.image[other].copy()
            image[4:8, 4:8] = iid.image[row, 4:8, 4:8]
            after = softmax(linear(image[None], None), axis=1)[0]
            flips.append(after.argmax() != probability[row].argmax())
            changes.append(abs(after[iid.label[row]] - probability[row, iid.label[row]]))
        assert found["background_swap_flip_rate"][row] == pytest.approx(np.mean(flips))
        assert found["background_swap_effect"][row] == pytest.approx(np.mean(changes), rel=1e-5)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda image, mask: np.zeros(len(image)), "logits of a model"),
        (lambda image, mask: np.zeros((len(image) + 1, 3)), "logits of a model"),
        (lambda image, mask: np.zeros((len(image), 2)), "labels of the shown images"),
    ],
)
def test_logits_that_do_not_fit_the_images_are_told(composites, answer, told):
    with pytest.raises(BenchmarkError, match=told):
        measure(answer, composites)


def test_a_model_whose_number_of_classes_changes_is_told():
    blocks = [(slice(0, 1), np.zeros((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 2), np.uint8))] * 2
    classes = iter([3, 4])
    with pytest.raises(BenchmarkError, match="one K for all images"):
        ask(lambda image, mask: np.zeros((1, next(classes))), blocks, np.array([0, 0]))


def test_the_given_logits_are_not_written_to():
    logits = np.array([[np.nan, 1.0], [0.0, 1.0]])
    block = (slice(0, 2), np.zeros((2, 2, 2, 1), np.uint8), np.zeros((2, 2, 2), np.uint8))
    said = ask(lambda image, mask: logits, [block], np.array([0, 1]))
    assert np.isnan(logits[0, 0])
    np.testing.assert_array_equal(said.predicted, [np.nan, 1])
    np.testing.assert_allclose(said.of(np.array([0, 1])), [np.nan, np.e / (1 + np.e)])
