import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark.behaviour.probe import FOLDS, decodability, folds, probed
from benchmark.errors import BenchmarkError
from tests.behaviour.scenes import CLASSES, MARK, ink, shown, variants

KEY = ("bias_decodability", "deceiving")


def code_of(image):
    """The mark of each image, as one-hot numbers."""
    return (image[:, 0, :CLASSES, 0] == MARK).astype(float)


def label_of(image):
    return ((image[:, 5, 5, 0].astype(int) - ink(0)) // (ink(1) - ink(0))).astype(int)


def mark_features(image, mask):
    return code_of(image)


def foreground_features(image, mask):
    return image[:, 4:8, 4:8, 0].reshape(len(image), -1).astype(float)


def noise_features(image, mask):
    """Numbers that each image's pixels decide, but say nothing of them."""
    return np.stack([np.random.default_rng(zlib.crc32(one.tobytes())).normal(size=4) for one in image])


def in_units(images, unit):
    """Each image in one of the given units, whose number is written into its last pixel."""
    found = {}
    for name, each in images.items():
        image = each.image.copy()
        image[:, -1, -1, 0] = unit
        found[name] = replace(each, image=image, unit=unit.astype(str))
    return found


def test_features_that_hold_the_mark_tell_it_every_time_within_classes():
    # Over all classes each mark is as often the own one as another's.
    pooled = [code_of(variants(90)[name].image).sum(0).tolist() for name in ("iid", "deceiving")]
    assert pooled[0] == pooled[1]
    found = decodability(mark_features, variants(90))
    assert found.keys() == {KEY}
    np.testing.assert_array_equal(found[KEY], np.ones(90))
    assert found[KEY].dtype == np.float32


def test_features_that_do_not_change_with_the_mark_give_exactly_one_half():
    np.testing.assert_array_equal(decodability(foreground_features, variants(90))[KEY], np.full(90, 0.5))


def test_features_that_say_nothing_give_about_one_half():
    images = in_units(variants(240), np.arange(240))  # so that no two images are equal
    # 480 answers: a standard deviation of 0.023.
    assert decodability(noise_features, images)[KEY].mean() == pytest.approx(0.5, abs=0.08)


def test_no_unit_is_on_both_sides_of_a_fold():
    """What tells the mark is another feature in each unit: only who has met the unit knows which."""
    unit = np.arange(90) // 9  # 10 units of 9 images, 3 of each class

    def personal(image, mask):
        own = code_of(image).argmax(1) == label_of(image)
        return np.where(own, 1.0, -1.0)[:, None] * np.eye(10)[image[:, -1, -1, 0]]

    np.testing.assert_array_equal(decodability(personal, in_units(variants(90), unit))[KEY], np.full(90, 0.5))
    # The same features do tell a probe that has met the units.
    own = np.eye(10)[unit[:30]]
    np.testing.assert_array_equal(probed(own, -own, np.arange(30) % FOLDS), np.ones(30))


def test_a_probe_against_scikit_learns_cross_validation():
    rng = np.random.default_rng(0)
    own, others = rng.normal(0.4, 1, (40, 3)), rng.normal(-0.4, 3, (40, 3))
    fold = folds((np.arange(40) // 2).astype(str))
    predicted = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        np.concatenate([own, others]),
        np.repeat([0, 1], 40),
        cv=PredefinedSplit(np.tile(fold, 2)),
    )
    expected = ((predicted[:40] == 0).astype(float) + (predicted[40:] == 1)) / 2
    np.testing.assert_array_equal(probed(own, others, fold), expected)
    assert 0.5 < expected.mean() < 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=60), st.integers(0, 1000))
def test_folds_are_of_whole_units_of_equal_number_and_do_not_depend_on_order(numbers, seed):
    unit = np.array([f"patient_{number}" for number in numbers], dtype=str)
    fold = folds(unit)
    where = {name: set(fold[unit == name].tolist()) for name in set(unit.tolist())}
    assert all(len(each) == 1 for each in where.values())
    units = np.bincount([min(each) for each in where.values()], minlength=FOLDS) if where else np.zeros(FOLDS)
    assert units.max() - units.min() <= 1
    order = np.random.default_rng(seed).permutation(len(unit))
    np.testing.assert_array_equal(folds(unit[order]), fold[order])


def test_the_probe_does_not_depend_on_the_order_of_the_images():
    images = in_units(variants(90), np.arange(90))
    order = np.random.default_rng(0).permutation(90)
    first = decodability(noise_features, images)[KEY]
    again = decodability(noise_features, {name: each.take(order) for name, each in images.items()})[KEY]
    np.testing.assert_array_equal(again, first[order])
    assert first.std() > 0


def test_without_features_there_is_no_probe():
    assert decodability(None, variants(30)) == {}
    assert decodability(lambda image, mask: np.empty((len(image), 0)), variants(30)) == {}
    assert decodability(lambda image, mask: np.empty((0, 0)), variants(30)) == {}


@pytest.mark.parametrize("missing", ["iid", "deceiving"])
def test_without_both_variants_there_is_no_probe(missing):
    images = variants(30)
    del images[missing]
    assert decodability(mark_features, images) == {}


def test_variants_on_different_images_are_not_probed():
    images = variants(30)
    images["deceiving"] = shown(images["deceiving"].label, images["deceiving"].code, first=50)
    assert decodability(mark_features, images) == {}
    nobody = {name: each.take(slice(0, 0)) for name, each in variants(3).items()}
    assert decodability(mark_features, nobody) == {}


def test_images_without_two_different_marks_or_without_background_are_not_probed():
    images = variants(90)
    own, other = images["iid"].code.copy(), images["deceiving"].code.copy()
    own[0], other[1], other[2] = -1, -1, own[2]
    mask = images["iid"].mask.copy()
    mask[3], mask[4] = 0, 1
    pair = {
        "iid": replace(images["iid"], code=own, mask=mask),
        "deceiving": replace(images["deceiving"], code=other, mask=mask),
    }
    found = decodability(mark_features, pair)[KEY]
    assert np.flatnonzero(np.isnan(found)).tolist() == [0, 1, 2, 3, 4]
    assert (found[5:] == 1).all()


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_features_that_are_not_finite_leave_their_image_out(strange):
    def sometimes(image, mask):
        features = code_of(image)
        features[image[:, -1, -1, 0] == 7, 1] = strange
        return features

    found = decodability(sometimes, in_units(variants(90), np.arange(90)))[KEY]
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]
    assert (np.delete(found, 7) == 1).all()


def test_a_class_of_fewer_than_five_units_is_not_probed():
    label = np.repeat([0, 1], [8, 5])
    unit = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8])  # four units of class 0, five of class 1
    pair = {"iid": shown(label, label), "deceiving": shown(label, label + 1)}
    found = decodability(mark_features, in_units(pair, unit))[KEY]
    np.testing.assert_array_equal(found, np.where(label == 0, np.nan, 1))


@pytest.mark.parametrize("shape", [(3,), (3, 2, 2), (2, 4)])
def test_features_of_another_shape_are_told(shape):
    images = {name: each.take(slice(0, 3)) for name, each in variants(30).items()}
    with pytest.raises(BenchmarkError, match=r"features of a model.*shape \(3, F\)"):
        decodability(lambda image, mask: np.zeros(shape), images)
