from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from benchmark.data.splits import stratified_split
from benchmark.errors import BenchmarkError


@st.composite
def cases(draw):
    """Labels, and three positive counts that sum to their number."""
    label = np.array(draw(st.lists(st.integers(0, 5), min_size=3, max_size=60)))
    first, second = sorted(draw(st.sets(st.integers(1, len(label) - 1), min_size=2, max_size=2)))
    return label, {"train": first, "val": second - first, "test": len(label) - second}, draw(st.integers(0, 99))


@settings(deadline=None)
@given(cases())
def test_counts_are_exact_and_every_image_is_in_one_split(case):
    label, counts, seed = case
    split = stratified_split(label, counts, np.random.default_rng(seed))
    assert split.shape == label.shape
    assert Counter(split.tolist()) == counts


@settings(deadline=None)
@given(cases())
def test_every_class_is_within_one_image_of_its_share_of_what_is_left(case):
    label, counts, seed = case
    split = stratified_split(label, counts, np.random.default_rng(seed))
    left = np.ones(len(label), bool)
    for name, count in counts.items():
        for k in np.unique(label):
            share = count * np.sum(left & (label == k)) / left.sum()
            assert abs(np.sum((split == name) & (label == k)) - share) < 1
        left &= split != name


@settings(deadline=None)
@given(st.integers(2, 5), st.tuples(*[st.integers(1, 6)] * 3), st.integers(0, 99))
def test_shares_that_are_whole_numbers_are_met_exactly(classes, each, seed):
    label = np.random.default_rng(seed).permutation(np.repeat(np.arange(classes), sum(each)))
    counts = dict(zip(("train", "val", "test"), (classes * n for n in each), strict=True))
    split = stratified_split(label, counts, np.random.default_rng(seed))
    for name, count in zip(counts, each, strict=True):
        assert np.bincount(label[split == name], minlength=classes).tolist() == [count] * classes


def test_the_class_counts_are_those_of_scikit_learn():
    label = np.repeat([0, 1, 2], [50, 30, 20])
    split = stratified_split(label, {"train": 77, "test": 23}, np.random.default_rng(0))
    train, test = train_test_split(label, train_size=77, stratify=label, random_state=0)
    assert np.bincount(label[split == "train"]).tolist() == np.bincount(train).tolist()
    assert np.bincount(label[split == "test"]).tolist() == np.bincount(test).tolist()


def test_remainders_by_hand():
    # shares of 4: 2.5 * 4/7 -> classes of 4, 2 and 1: 2.29, 1.14, 0.57; the one remainder goes to the last
    label = np.array([0, 0, 0, 0, 1, 1, 2])
    split = stratified_split(label, {"train": 4, "test": 3}, np.random.default_rng(0))
    assert np.bincount(label[split == "train"]).tolist() == [2, 1, 1]
    # two classes of equal fraction 0.5: the smaller index
    split = stratified_split(np.array([1, 0]), {"train": 1, "test": 1}, np.random.default_rng(0))
    assert split.tolist() == ["test", "train"]


def test_the_seed_decides():
    label = np.repeat([0, 1], 50)
    counts = {"train": 60, "test": 40}
    one, again, other = (stratified_split(label, counts, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.tolist() == again.tolist()
    assert one.tolist() != other.tolist()


def test_every_image_of_a_class_is_as_likely_to_be_drawn():
    label = np.zeros(10, int)
    drawn = sum(
        stratified_split(label, {"train": 5, "test": 5}, np.random.default_rng(seed)) == "train" for seed in range(400)
    )
    # binomial(400, 1/2): standard deviation 10
    assert drawn.min() > 150
    assert drawn.max() < 250


@pytest.mark.parametrize("counts", [{"a": 5, "b": 4}, {"a": 5, "b": 6}, {"a": 10, "b": 0}, {"a": 11, "b": -1}])
def test_counts_that_do_not_fit_are_refused(counts):
    with pytest.raises(BenchmarkError, match=r"split counts; got .*'b'.*; expected positive numbers with a sum of 10"):
        stratified_split(np.zeros(10, int), counts, np.random.default_rng(0))
