"""Images chosen by their source, against hand-computed numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_images import made_index

from benchmark.api import NO_CODE
from benchmark.biases.source import Source, sizes
from benchmark.errors import BenchmarkError
from benchmark.plan import plan

SPEAKS = {"north": 0, "south": 1}


def source(correlation=1.0, speaks_for=SPEAKS, **dials):
    return Source(Source.Settings(correlation=correlation, speaks_for=speaks_for, **dials))


def index_of(*parts):
    """An index of so many images of each (split, source, label), in no order."""
    rows = [(split, name, label) for split, name, label, count in parts for _ in range(count)]
    order = np.random.default_rng(0).permutation(len(rows))
    split, name, label = (np.array(column)[order] for column in zip(*rows, strict=True))
    return made_index(label, split, name)


def everywhere(own=30, other=20):
    """Both classes in both sources in every split: so many that fit, so many that do not."""
    return index_of(
        *(
            (split, name, label, own if SPEAKS[name] == label else other)
            for split in ("train", "val", "test")
            for name in SPEAKS
            for label in (0, 1)
        )
    )


def counts(index, selection):
    """How many images of each class come from sources that speak for it, and from others."""
    own = np.array([SPEAKS.get(name, -1) for name in index.source[selection.rows]]) == selection.label
    return [(int((own & (selection.label == k)).sum()), int((~own & (selection.label == k)).sum())) for k in (0, 1)]


@pytest.mark.parametrize(
    ("own", "other", "share", "expected"),
    [
        (30, 20, 0.5, (20, 20)),
        (30, 20, 0.75, (30, 10)),
        (30, 20, 0.9, (30, 3)),  # 33.3 images, 30 of them own
        (10, 90, 0.95, (10, 1)),  # 10.5 images, a twentieth of them others
        (30, 20, 1.0, (30, 0)),
        (30, 20, 0.0, (0, 20)),
        (10, 20, 1 / 3, (10, 20)),
        (0, 20, 0.5, (0, 0)),
        (30, 0, 0.5, (0, 0)),
        (0, 0, 0.5, (0, 0)),
        (5, 0, 1.0, (5, 0)),
        (7, 100, 0.7, (7, 3)),
    ],
)
def test_as_many_images_are_kept_as_the_share_allows(own, other, share, expected):
    assert tuple(sizes([own, other], [share, 1 - share])) == expected


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.01, 0.99))
def test_the_share_is_met_to_within_an_image_and_one_side_is_used_up(own, other, share):
    first, second = sizes([own, other], [share, 1 - share])
    assert 0 <= first <= own
    assert 0 <= second <= other
    assert abs(first - share * (first + second)) <= 1
    if own and other:
        assert first == own or second == other or first + second >= min(own / share, other / (1 - share)) - 1


@pytest.mark.parametrize(("correlation", "each"), [(1.0, (30, 0)), (0.75, (30, 10)), (0.9, (30, 3)), (0.5, (20, 20))])
def test_the_correlation_is_the_share_of_every_class_from_its_own_sources(correlation, each):
    index = everywhere()
    subsets = plan(index, source(correlation))
    for name in ("train", "val", "iid"):
        assert counts(index, subsets[name]) == [each, each]
    assert counts(index, subsets["ood"]) == [(20, 20), (20, 20)]
    assert counts(index, subsets["deceiving"]) == [(0, 20), (0, 20)]


def test_every_subset_keeps_its_split_its_labels_and_its_order():
    index = everywhere()
    subsets = plan(index, source(0.8))
    splits = {"train": "train", "val": "val", "iid": "test", "ood": "test", "deceiving": "test"}
    assert set(subsets) == set(splits)
    for name, chosen in subsets.items():
        assert set(index.split[chosen.rows]) == {splits[name]}
        assert np.array_equal(chosen.label, index.label[chosen.rows])
        assert (np.diff(chosen.rows) > 0).all()
        assert chosen.code.tolist() == [SPEAKS[where] for where in index.source[chosen.rows]]


def test_several_sources_may_speak_for_a_class():
    index = index_of(
        *((split, name, label, 12) for split in ("train", "val", "test") for name in "abc" for label in (0, 1))
    )
    train = plan(index, source(0.8, {"a": 0, "b": 0, "c": 1}))["train"]
    named = list(zip(train.label.tolist(), index.source[train.rows].tolist(), strict=True))
    assert sum(pair in ((0, "a"), (0, "b")) for pair in named) == 24  # of class 0, and a quarter as many from c
    assert named.count((0, "c")) == 6
    assert named.count((1, "c")) == 12
    assert named.count((1, "a")) + named.count((1, "b")) == 3


def test_of_three_classes_each_other_one_has_its_part_and_the_scarcest_decides():
    there = {0: (30, 6, 300), 1: (8, 30, 8), 2: (300, 30, 300)}  # by hand: from a, b and c
    index = index_of(
        *(
            (split, name, label, count)
            for split in ("train", "val", "test")
            for label, row in there.items()
            for name, count in zip("abc", row, strict=True)
        )
    )
    subsets = plan(index, source(0.5, {"a": 0, "b": 1, "c": 2}))

    def table(name):
        rows = subsets[name].rows
        return [[int(((index.source == s) & (index.label == k))[rows].sum()) for s in "abc"] for k in range(3)]

    assert table("iid") == [[12, 6, 6], [8, 16, 8], [30, 30, 60]]
    assert table("ood") == [[6, 6, 6], [8, 8, 8], [30, 30, 30]]
    assert table("deceiving") == [[0, 6, 6], [8, 0, 8], [30, 30, 0]]


def test_where_a_class_has_one_side_only_there_is_no_ood_and_no_deceiving_test():
    index = index_of(*((split, name, label, 9) for split in ("train", "val", "test") for name, label in SPEAKS.items()))
    assert list(plan(index, source())) == ["train", "val", "iid"]


def test_where_one_class_alone_has_one_side_only_there_is_neither():
    index = index_of(
        *((split, name, label, 9) for split in ("train", "val", "test") for name, label in SPEAKS.items()),
        ("test", "north", 1, 9),
    )
    assert list(plan(index, source())) == ["train", "val", "iid"]


def test_a_correlation_that_the_images_do_not_allow_is_refused():
    index = index_of(*((split, name, label, 9) for split in ("train", "val", "test") for name, label in SPEAKS.items()))
    with pytest.raises(BenchmarkError, match=r"no image of class 0 in 'train' can be had; got 'correlation 0\.9'"):
        plan(index, source(0.9))


def test_other_hospitals_are_tested_whole_and_need_no_class():
    index = index_of(
        *((split, name, label, 9) for split in ("train", "val", "test") for name in SPEAKS for label in (0, 1)),
        ("external", "west", 0, 4),
        ("external", "north", 1, 3),
    )
    external = plan(index, source())["external"]
    assert external.rows.tolist() == np.flatnonzero(index.split == "external").tolist()
    assert set(external.code.tolist()) == {NO_CODE}


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(60)), st.sampled_from([0.5, 0.8, 1.0]))
def test_the_order_of_the_images_says_nothing(order, correlation):
    index = everywhere(6, 4)
    other = index.take(np.array(order))
    before, after = (plan(each, source(correlation)) for each in (index, other))
    for name, chosen in before.items():
        assert set(index.id[chosen.rows]) == set(other.id[after[name].rows])


def test_a_higher_correlation_keeps_own_images_and_drops_others():
    index = everywhere()
    low, high = (plan(index, source(rho))["train"] for rho in (0.8, 0.9))
    foreign = [
        {int(row) for row, code, k in zip(s.rows, s.code, s.label, strict=True) if code != k} for s in (low, high)
    ]
    assert foreign[1] < foreign[0]
    own = [set(s.rows.tolist()) - away for s, away in zip((low, high), foreign, strict=True)]
    assert own[0] == own[1]


def test_another_seed_chooses_other_images():
    index = everywhere()
    one, same, other = (plan(index, source(0.9, seed=seed))["train"].rows.tolist() for seed in (0, 0, 1))
    assert one == same != other


def test_a_source_that_speaks_for_no_class_is_refused():
    index = index_of(*((split, "east", 0, 3) for split in ("train", "val", "test")), ("train", "south", 1, 3))
    with pytest.raises(BenchmarkError, match=r"source 'east' speaks for no class; expected .*there are north, south"):
        plan(index, source())


@pytest.mark.parametrize("wrong", [2, -1])
def test_a_class_that_does_not_exist_is_refused(wrong):
    with pytest.raises(
        BenchmarkError, match=rf"speaks_for of the bias 'source'; got .*'north': {wrong}.*classes 0 to 1"
    ):
        plan(everywhere(), source(speaks_for={"north": wrong, "south": 1}))


def test_a_correlation_below_chance_is_refused():
    with pytest.raises(BenchmarkError, match=r"correlation of the bias; got 0\.4; expected 1 / 2"):
        plan(everywhere(), source(0.4))


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_an_empty_split_is_refused(name):
    index = everywhere()
    with pytest.raises(BenchmarkError, match=f"split '{name}' holds no image"):
        plan(index.take(index.split != name), source())
