"""Accuracy in groups, on predictions of which every group's accuracy is known."""

import json

import numpy as np
import pytest

from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.stats.group_tracks import VARIANT, group_tracks
from benchmark.stats.weights import draw_weights

N, CLASSES = 120, 3
SHARE = [0.3, 0.1, 0.2, 0.1, 0.3, 0.0]
"""Of class 0 with its own mark, class 0 with another's, class 1 ..."""


def stored(chosen=(1, 5), conflicting=(), deceiving_label=None, attributes=True):
    """Two seeds; class k is right on iid, and on deceiving in the first ``10 k + seed`` of its 40 images."""
    label = np.arange(N) % CLASSES
    place = np.arange(N) // CLASSES
    names = np.array([f"i{row:03d}" for row in range(N)])
    hit = {
        "iid": np.ones((2, N), bool),
        "deceiving": np.stack([place < 10 * label + seed for seed in range(2)]),
    }
    answers = {variant: np.where(right, label, (label + 1) % CLASSES) for variant, right in hit.items()}
    facts = {"chosen": list(chosen), "share": SHARE, "conflicting": list(conflicting), "chosen_on": "balanced"}
    shown = Shown(names, names, np.full(N, "here"), label)
    other = Shown(names, names, np.full(N, "here"), label if deceiving_label is None else deceiving_label)
    return Predictions(
        seeds=np.arange(2),
        tested={"iid": shown, "deceiving": other},
        logits={variant: np.eye(CLASSES, dtype=np.float32)[answer] for variant, answer in answers.items()},
        attributes={"groups": json.dumps(facts)} if attributes else {},
    )


def tracks_of(predictions, draws=300):
    found = group_tracks(predictions, draw_weights(predictions, "d-b", draws, 0))
    return {track.metric.name: track for track in found}


def test_each_seed_is_scored_on_the_group_that_it_was_worst_on_in_validation():
    tracks = tracks_of(stored(chosen=(1, 5)))
    # seed 0: class 0 with another's mark, none of 40 right; seed 1: class 2 with another's, 21 of 40
    assert tracks["worst_group_accuracy"].values.tolist() == [0, pytest.approx(21 / 40)]
    assert tracks["worst_group_accuracy"].n_units.tolist() == [40, 40]
    assert tracks["worst_group_accuracy"].variant == VARIANT


def test_the_plug_in_is_the_least_of_the_test_itself():
    assert tracks_of(stored())["worst_group_plug_in"].values.tolist() == [0, pytest.approx(1 / 40)]


def test_the_plain_average_counts_images_and_the_adjusted_one_groups_by_their_share_in_training():
    tracks = tracks_of(stored())
    for seed in range(2):
        conflicting = [(10 * k + seed) / 40 for k in range(CLASSES)]
        assert tracks["plain_average"].values[seed] == pytest.approx((1 + np.mean(conflicting)) / 2)
        every = [value for k in range(CLASSES) for value in (1.0, conflicting[k])]
        assert tracks["adjusted_average"].values[seed] == pytest.approx(np.dot(SHARE, every) / sum(SHARE))


def test_an_iid_image_with_anothers_mark_counts_as_conflicting():
    # the first image is of class 0: its right iid answer joins the group of class 0 with another's mark
    tracks = tracks_of(stored(chosen=(1, 1), conflicting=[0]))
    assert tracks["worst_group_accuracy"].values.tolist() == [pytest.approx(1 / 41), pytest.approx(2 / 41)]


def test_draws_scatter_round_the_value_and_both_marks_of_an_image_come_and_go_together():
    track = tracks_of(stored(chosen=(5, 5)), draws=4000)["worst_group_accuracy"]
    assert track.seed_draws.shape == (2, 4000)
    assert track.seed_draws.mean(1) == pytest.approx([20 / 40, 21 / 40], abs=0.01)
    # about 40 of 120 units are of the class: a binomial share of a random number of them
    assert track.seed_draws.std(1) == pytest.approx(np.full(2, np.sqrt(0.25 / 40)), rel=0.08)


def test_without_groups_or_on_other_images_there_are_none():
    assert tracks_of(stored(attributes=False)) == {}
    assert tracks_of(stored(deceiving_label=(np.arange(N) + 1) % CLASSES)) == {}
