"""Which image carries which mark: each dial of a planted bias, on indices without pixels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_images import Specks, made_index, shuffled_index
from scipy.stats import binomtest, chi2_contingency, chisquare

from benchmark.api import NO_CODE, Bias, NaturalBias, Selection
from benchmark.errors import BenchmarkError
from benchmark.plan import plan

CLASSES = 4
MANY = shuffled_index(24_000, CLASSES)
SOME = shuffled_index(240, CLASSES)
PER_IMAGE = ("train", "val", "iid", "ood", "deceiving", "balanced")
DIALS = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 5),
        "correlation": st.floats(0.5, 1),
        "codes": st.integers(2, 9),
        "label_noise": st.floats(0, 0.9),
        "prevalence": st.floats(0.01, 1),
    },
)


def specks(**dials):
    return Specks(Specks.Settings(**dials))


def planned(index=MANY, **dials):
    return plan(index, specks(**dials))


def by_name(index, selection):
    """``{id: (code, label)}``; an image comes once."""
    names = index.id[selection.rows].tolist()
    assert len(set(names)) == len(names)
    return dict(zip(names, zip(selection.code.tolist(), selection.label.tolist(), strict=True), strict=True))


def likely(count, of, share):
    """Whether so many successes agree with the share; a false alarm comes once in a thousand, and seeds are fixed."""
    return binomtest(int(count), int(of), share).pvalue > 0.001


def uniform(values, kinds):
    counts = np.bincount(values, minlength=kinds)
    assert len(counts) == kinds
    return kinds == 1 or chisquare(counts).pvalue > 0.001


# --- subsets ----------------------------------------------------------------------------------------


def test_every_subset_shows_its_split_in_order():
    subsets = planned(SOME)
    assert list(subsets) == [*PER_IMAGE]
    for name, split in zip(PER_IMAGE, ["train", "val", "test", "test", "test", "val"], strict=True):
        assert subsets[name].rows.tolist() == [row for row in range(240) if SOME.split[row] == split]
        assert np.array_equal(subsets[name].label, SOME.label[subsets[name].rows])
    assert set(subsets["ood"].code.tolist()) == {NO_CODE}


def test_images_of_other_sources_are_shown_as_they_are():
    index = shuffled_index(240, CLASSES, ("train", "val", "test", "external"))
    external = planned(index)["external"]
    assert external.rows.tolist() == np.flatnonzero(index.split == "external").tolist()
    assert set(external.code.tolist()) == {NO_CODE}
    assert np.array_equal(external.label, index.label[external.rows])


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(60)), DIALS)
def test_the_order_of_the_images_says_nothing(order, dials):
    index = shuffled_index(60, CLASSES)
    other = index.take(np.array(order))
    before, after = planned(index, **dials), planned(other, **dials)
    for name in PER_IMAGE:
        assert by_name(index, before[name]) == by_name(other, after[name])


@settings(deadline=None, max_examples=40)
@given(st.integers(24, 239), DIALS)
def test_an_image_more_changes_no_other(count, dials):
    fewer = SOME.take(slice(0, count))
    few, all_ = planned(fewer, **dials), planned(SOME, **dials)
    for name in PER_IMAGE:
        assert by_name(fewer, few[name]).items() <= by_name(SOME, all_[name]).items()


def test_the_seed_decides_everything_that_is_drawn():
    dials = {"correlation": 0.5, "label_noise": 0.3, "prevalence": 0.5, "counterfactuals": 9}
    one, same, other = (planned(SOME, seed=seed, **dials) for seed in (0, 0, 1))
    for name in ("train", "val", "iid", "deceiving", "balanced", "counterfactual"):
        for field in ("rows", "code", "label"):
            assert np.array_equal(getattr(one[name], field), getattr(same[name], field))
        assert not (
            np.array_equal(one[name].code, other[name].code) and np.array_equal(one[name].rows, other[name].rows)
        )


# --- correlation ------------------------------------------------------------------------------------


def test_by_default_the_code_is_the_label():
    subsets = planned(SOME)
    for name in ("train", "val", "iid"):
        assert np.array_equal(subsets[name].code, subsets[name].label)


@pytest.mark.parametrize("correlation", [0.25, 0.6, 0.95])
def test_the_correlation_is_the_share_of_images_with_their_own_mark(correlation):
    subsets = planned(correlation=correlation)
    for name in ("train", "val", "iid"):
        code, label = subsets[name].code, subsets[name].label
        own = code == label
        assert likely(own.sum(), len(own), correlation)
        assert uniform((code - label)[~own] % CLASSES - 1, CLASSES - 1)


def test_at_chance_the_mark_says_nothing():
    train = planned(correlation=0.25)["train"]
    table = np.zeros((CLASSES, CLASSES), int)
    np.add.at(table, (train.label, train.code), 1)
    assert chi2_contingency(table).pvalue > 0.001


@settings(deadline=None, max_examples=40)
@given(st.floats(0.25, 1), st.floats(0.25, 1))
def test_a_higher_correlation_moves_images_from_another_mark_to_their_own_only(one, other):
    low, high = (planned(SOME, correlation=rho) for rho in sorted((one, other)))
    for name in ("train", "val", "iid"):
        moved = low[name].code != high[name].code
        assert (low[name].code != low[name].label)[moved].all()
        assert (high[name].code == high[name].label)[moved].all()
    for name in ("ood", "deceiving", "balanced"):
        assert np.array_equal(low[name].code, high[name].code)


@pytest.mark.parametrize(("dials", "chance"), [({"correlation": 0.24}, 4), ({"correlation": 0.49, "codes": 2}, 2)])
def test_a_correlation_below_chance_is_refused(dials, chance):
    with pytest.raises(BenchmarkError, match=rf"correlation of the bias; got 0\.\d+; expected 1 / {chance} \(chance"):
        planned(SOME, **dials)


def test_a_correlation_at_chance_is_met():
    for classes in (2, 3, 7, 10):  # 1 / 3 is no binary fraction
        planned(shuffled_index(600, classes), correlation=1 / classes)


# --- the deceiving and the balanced variant ---------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 6), st.integers(2, 12), st.integers(0, 9))
def test_no_image_deceives_with_a_mark_of_its_own_class(classes, codes, seed):
    deceiving = planned(shuffled_index(180, classes), codes=codes, seed=seed)["deceiving"]
    groups = min(codes, classes)
    assert not (deceiving.code % groups == deceiving.label % groups).any()
    assert ((deceiving.code >= 0) & (deceiving.code < codes)).all()


def test_every_other_class_deceives_equally_often():
    deceiving = planned()["deceiving"]
    for k in range(CLASSES):
        assert uniform((deceiving.code[deceiving.label == k] - k) % CLASSES - 1, CLASSES - 1)


def test_two_classes_deceive_each_other():
    deceiving = planned(shuffled_index(60, 2))["deceiving"]
    assert np.array_equal(deceiving.code, 1 - deceiving.label)


def test_in_the_balanced_set_the_mark_says_nothing_of_the_label():
    balanced = planned()["balanced"]
    table = np.zeros((CLASSES, CLASSES), int)
    np.add.at(table, (balanced.label, balanced.code), 1)
    assert chi2_contingency(table).pvalue > 0.001
    assert uniform(balanced.code, CLASSES)


def test_draws_of_different_meaning_are_independent():
    subsets = planned(correlation=0.5)
    deceiving, iid = subsets["deceiving"], subsets["iid"]
    step, own = (deceiving.code - deceiving.label) % CLASSES, iid.code == iid.label
    table = np.zeros((2, CLASSES), int)
    np.add.at(table, (own.astype(int), step), 1)
    assert chi2_contingency(table[:, 1:]).pvalue > 0.001


# --- prevalence -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0625, 0.5, 0.9])
def test_the_prevalence_is_the_share_of_marked_images(share):
    subsets = planned(prevalence=share)
    for name in ("train", "val", "iid"):
        marked = subsets[name].code != NO_CODE
        assert likely(marked.sum(), len(marked), share)
        assert np.array_equal(subsets[name].code[marked], subsets[name].label[marked])
    assert (subsets["deceiving"].code != NO_CODE).all()
    assert (subsets["balanced"].code != NO_CODE).all()


def test_every_class_has_its_own_prevalence():
    shares = (0.0, 0.2, 0.7, 1.0)
    train = planned(prevalence=shares)["train"]
    for k, share in enumerate(shares):
        marked = train.code[train.label == k] != NO_CODE
        assert likely(marked.sum(), len(marked), share)


def test_a_class_without_marks_deceives_by_having_none():
    subsets = planned(shuffled_index(900, 3), prevalence=(0.0, 0.5, 1.0))
    deceiving = subsets["deceiving"]
    shown = [set(deceiving.code[deceiving.label == k].tolist()) for k in range(3)]
    assert shown == [{1, 2}, {NO_CODE, 2}, {NO_CODE, 1}]
    assert set(subsets["balanced"].code.tolist()) == {NO_CODE, 1, 2}


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_prevalence_only_adds_marks(one, other):
    low, high = (planned(SOME, prevalence=share or 1e-9, correlation=0.6) for share in sorted((one, other)))
    kept = low["train"].code != NO_CODE
    assert np.array_equal(low["train"].code[kept], high["train"].code[kept])


def test_a_mark_whose_presence_tells_the_class():
    subsets = planned(shuffled_index(300, 2), codes=1, prevalence=(0.0, 1.0))
    for name in ("train", "val", "iid"):
        assert np.array_equal(subsets[name].code, np.where(subsets[name].label == 1, 0, NO_CODE))
    assert np.array_equal(subsets["deceiving"].code, np.where(subsets["deceiving"].label == 0, 0, NO_CODE))
    balanced = subsets["balanced"]
    assert likely((balanced.code == 0).sum(), len(balanced.code), 0.5)


@pytest.mark.parametrize(
    "bad", [1.5, -0.1, (0.5, 0.5), (0.5,) * 5, (1.0, 1.0, 1.0, 1.1), (-1.0, 1.0, 1.0, 1.0), ()], ids=str
)
def test_a_prevalence_that_is_no_share_of_each_class_is_refused(bad):
    told = r"prevalence of the bias; got .*; expected a number in \[0, 1\], or 4 of them, one for each class"
    with pytest.raises(BenchmarkError, match=told):
        planned(SOME, prevalence=bad)


def test_a_prevalence_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite number"):
        specks(prevalence=float("nan"))


# --- more or fewer marks than classes ---------------------------------------------------------------


@pytest.mark.parametrize("codes", [2, 3])
def test_with_fewer_marks_classes_share_them(codes):
    subsets = planned(codes=codes)
    assert np.array_equal(subsets["train"].code, subsets["train"].label % codes)
    assert uniform(planned(codes=codes)["balanced"].code, codes)


@pytest.mark.parametrize("codes", [5, 8, 11])
def test_with_more_marks_a_class_has_several_equally_often(codes):
    train = planned(codes=codes)["train"]
    for k in range(CLASSES):
        mine = list(range(k, codes, CLASSES))
        found = train.code[train.label == k]
        assert set(found.tolist()) == set(mine)
        assert uniform(found // CLASSES, len(mine))


def test_one_mark_for_all_classes_cannot_deceive():
    with pytest.raises(BenchmarkError, match=r"deceiving variant.*4 classes that all show the same.*2 or more codes"):
        planned(SOME, codes=1)


def test_no_mark_at_all_cannot_deceive():
    with pytest.raises(BenchmarkError, match=r"deceiving variant.*4 classes that all show the same"):
        planned(SOME, prevalence=0.0)


# --- label noise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.05, 0.4])
def test_the_label_noise_is_the_share_of_wrong_labels_in_training_and_validation(noise):
    subsets = planned(label_noise=noise)
    for name in ("train", "val"):
        true = MANY.label[subsets[name].rows]
        wrong = subsets[name].label != true
        assert likely(wrong.sum(), len(wrong), noise)
        assert uniform((subsets[name].label - true)[wrong] % CLASSES - 1, CLASSES - 1)
    for name in ("iid", "ood", "deceiving"):
        assert np.array_equal(subsets[name].label, MANY.label[subsets[name].rows])
    assert np.array_equal(subsets["balanced"].label, subsets["val"].label)


def test_the_mark_follows_the_noisy_label():
    train = planned(label_noise=0.4)["train"]
    assert np.array_equal(train.code, train.label)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.99), st.floats(0, 0.99))
def test_more_noise_keeps_the_labels_that_were_wrong(one, other):
    low, high = (planned(SOME, label_noise=noise)["train"] for noise in sorted((one, other)))
    wrong = low.label != SOME.label[low.rows]
    assert np.array_equal(low.label[wrong], high.label[wrong])


# --- counterfactual pairs ---------------------------------------------------------------------------


@pytest.mark.parametrize("codes", [2, 4, 6])
def test_each_chosen_test_image_comes_once_under_every_mark(codes):
    pairs = planned(SOME, counterfactuals=7, codes=codes)["counterfactual"]
    rows = pairs.rows.reshape(7, codes)
    assert (rows == rows[:, :1]).all()
    assert (np.diff(rows[:, 0]) > 0).all()
    assert (SOME.split[rows] == "test").all()
    assert (pairs.code.reshape(7, codes) == np.arange(codes)).all()
    assert np.array_equal(pairs.label, SOME.label[pairs.rows])


def test_more_pairs_keep_the_images_of_fewer():
    few, more = (set(planned(SOME, counterfactuals=n)["counterfactual"].rows.tolist()) for n in (5, 20))
    assert few < more


def test_no_more_pairs_than_test_images():
    pairs = planned(SOME, counterfactuals=999)["counterfactual"]
    assert set(pairs.rows.tolist()) == set(np.flatnonzero(SOME.split == "test").tolist())


# --- what no task can be made of --------------------------------------------------------------------


def test_one_class_is_refused():
    with pytest.raises(BenchmarkError, match=r"a deceiving variant needs another class.*1 classes"):
        planned(replace(SOME, label=np.zeros_like(SOME.label)))


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_an_empty_split_is_refused(name):
    with pytest.raises(BenchmarkError, match=f"split '{name}' holds no image"):
        planned(SOME.take(SOME.split != name))


def test_a_bias_of_neither_kind_is_refused():
    with pytest.raises(BenchmarkError, match="bias Bias; got 'neither'; expected a PlantedBias or a NaturalBias"):
        plan(SOME, Bias(Bias.Settings()))


class Chosen(NaturalBias):
    """Plans what the test says."""

    def __init__(self, **subsets):
        super().__init__(self.Settings())
        self.subsets = subsets

    def plan(self, index, classes):
        return self.subsets


def selection(rows, code, label):
    return Selection(np.array(rows, int), np.array(code, int), np.array(label, int))


TINY = made_index(np.array([0, 1, 0, 1]), np.array(["train", "val", "test", "test"]))


PARTS = {
    "train": selection([0], [0], [0]),
    "val": selection([1], [1], [1]),
    "iid": selection([2, 3], [0, 1], [0, 1]),
}


def test_subsets_without_images_are_left_out():
    whole = Chosen(**PARTS, ood=selection([], [], []))
    assert list(plan(TINY, whole)) == ["train", "val", "iid"]


@pytest.mark.parametrize("name", ["train", "val", "iid", "ood", "external", "strange"])
def test_a_subset_of_another_splits_images_is_refused(name):
    with pytest.raises(BenchmarkError, match=f"the plan of bias Chosen, subset '{name}'; got 'images of t"):
        plan(TINY, Chosen(**{**PARTS, name: selection([0, 2], [0, 0], [0, 0])}))


@pytest.mark.parametrize("name", ["train", "val", "iid"])
def test_a_plan_without_images_to_train_select_or_test_on_is_refused(name):
    with pytest.raises(BenchmarkError, match=f"the plan of bias Chosen has no subset '{name}'"):
        plan(TINY, Chosen(**{each: part for each, part in PARTS.items() if each != name}))


@pytest.mark.parametrize(
    "bad",
    [
        selection([2, 1], [0, 0], [0, 1]),
        selection([3, 4], [0, 0], [1, 1]),
        selection([-1, 0], [0, 0], [1, 0]),
        selection([0, 1], [0], [0, 1]),
        selection([0, 1], [0, 0], [0, 1, 0]),
        selection([0, 1], [0, 0], [0, 2]),
        selection([0, 1], [0, 0], [0, -1]),
    ],
    ids=["order", "beyond the last", "negative row", "short code", "long label", "new class", "no class"],
)
def test_a_plan_that_is_no_choice_of_images_is_refused(bad):
    with pytest.raises(BenchmarkError, match=r"the plan of bias Chosen, subset 'iid'.*ascending"):
        plan(TINY, Chosen(iid=bad))
