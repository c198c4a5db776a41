from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from benchmark.data.splits import Split, split_units, stratified_split
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


@st.composite
def patients(draw):
    """Images of units, each unit of one class, some with a given split."""
    count = draw(st.integers(1, 60))
    sizes = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    kinds = draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count))
    homes = draw(st.lists(st.sampled_from(["", "", "", "train", "test", "external"]), min_size=count, max_size=count))
    unit = [f"p{n}" for n, size in enumerate(sizes) for _ in range(size)]
    kind = [kinds[n] for n, size in enumerate(sizes) for _ in range(size)]
    given_split = [homes[n] for n, size in enumerate(sizes) for _ in range(size)]
    val, test = draw(st.sampled_from([(0.1, 0.2), (0.25, 0.25), (0, 0.5), (0.3, 0)]))
    return unit, kind, given_split, Split(val=val, test=test, seed=draw(st.integers(0, 9)))


@settings(deadline=None)
@given(patients())
def test_no_unit_is_in_two_splits_and_given_splits_are_kept(case):
    unit, kind, given_split, split = case
    found = split_units(unit, kind, given_split, split)
    homes = dict(zip(unit, found, strict=True))
    assert [homes[name] for name in unit] == found
    assert all(home == told for home, told in zip(found, given_split, strict=True) if told)
    assert set(found) <= {"train", "val", "test", "external"}


@settings(deadline=None)
@given(patients())
def test_every_stratum_is_within_one_unit_of_its_shares_and_keeps_one_for_training(case):
    unit, kind, given_split, split = case
    found = dict(zip(unit, split_units(unit, kind, given_split, split), strict=True))
    drawn = {name: k for name, k, told in zip(unit, kind, given_split, strict=True) if not told}
    for k in set(drawn.values()):
        members = Counter(found[name] for name, other in drawn.items() if other == k)
        total = sum(members.values())
        assert members["train"] >= 1
        for name, share in (("test", split.test), ("val", split.val)):
            assert members[name] <= share * total + 1
            if members["train"] > 1:
                assert members[name] > share * total - 1


@settings(deadline=None)
@given(patients(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(case, random):
    unit, kind, given_split, split = case
    found = split_units(unit, kind, given_split, split)
    rows = list(range(len(unit)))
    random.shuffle(rows)
    mixed = split_units([unit[r] for r in rows], [kind[r] for r in rows], [given_split[r] for r in rows], split)
    assert mixed == [found[r] for r in rows]


@settings(deadline=None)
@given(patients())
def test_more_images_of_a_unit_move_no_unit(case):
    unit, kind, given_split, split = case
    before = dict(zip(unit, split_units(unit, kind, given_split, split), strict=True))
    after = split_units([*unit, unit[0]], [*kind, kind[0]], [*given_split, given_split[0]], split)
    assert dict(zip([*unit, unit[0]], after, strict=True)) == before


def test_a_unit_that_joins_moves_at_most_one_other_of_its_stratum_into_each_split():
    unit = [f"p{n}" for n in range(200)]
    before = split_units(unit, ["a"] * 200, [""] * 200, Split(val=0.1, test=0.2))
    after = split_units([*unit, "new"], ["a"] * 201, [""] * 201, Split(val=0.1, test=0.2))
    assert sum(one != other for one, other in zip(before, after, strict=False)) <= 3


def test_the_totals_are_the_nearest_whole_numbers():
    unit = [f"p{n}" for n in range(97)]
    kind = ["a"] * 33 + ["b"] * 33 + ["c"] * 31
    found = Counter(split_units(unit, kind, [""] * 97, Split(val=0.1, test=0.2)))
    assert found == {"train": 68, "val": 10, "test": 19}  # 19.4 and 9.7


def test_another_seed_draws_another_split():
    unit = [f"p{n}" for n in range(50)]
    one, other = (split_units(unit, ["a"] * 50, [""] * 50, Split(val=0.1, test=0.2, seed=seed)) for seed in (0, 1))
    assert one != other


def test_a_unit_in_two_given_splits_is_named():
    with pytest.raises(BenchmarkError, match="unit 'p1' is in two splits; got 'train and test'"):
        split_units(["p0", "p1", "p1"], ["a"] * 3, ["train", "train", "test"], Split(val=0.1, test=0.2))


def test_images_without_a_split_follow_their_unit():
    found = split_units(["p0"] * 3, ["a"] * 3, ["", "test", ""], Split(val=0.1, test=0.2))
    assert found == ["test"] * 3


def test_an_unknown_split_is_refused():
    with pytest.raises(BenchmarkError, match="a given split; got 'tset'"):
        split_units(["p0"], ["a"], ["tset"], Split(val=0.1, test=0.2))


def test_shares_must_leave_something_for_training():
    with pytest.raises(ValueError, match="must leave something for training"):
        Split(val=0.5, test=0.5)
