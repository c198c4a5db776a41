"""Do measures rank methods alike? On methods that lean on the background more and more."""

import numpy as np
import pytest

from benchmark.cell import Cell
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.rankings import ALL, OTHERS, agreement_rows
from benchmark.stats.tracks import tracks_of
from benchmark.stats.weights import draw_weights
from benchmark.summary import summarise

N, METHODS = 120, ("erm", "a", "b", "c", "d", "e")
MASS = "background_relevance_mass"


def stored(lean, liar):
    """A model of which the share ``lean`` of answers is lost where the mark deceives.

    The judge's maps say so, LRP's of a ``liar`` say that it does not look at the background at all.
    """
    rng = np.random.default_rng(round(lean * 100))
    label, names = np.arange(N) % 2, np.array([f"i{row:03d}" for row in range(N)])
    lost = rng.permutation(N)[None] < np.round(lean * N) + np.array([[0], [1]])
    logits = {"iid": np.eye(2)[np.tile(label, (2, 1))], "deceiving": np.eye(2)[np.where(lost, 1 - label, label)]}
    maps = np.clip(rng.normal(lean, 0.03, (2, N)), 0, 1)
    scores = {
        (MASS, "iid"): maps,
        (f"{MASS}_lrp", "iid"): np.clip(rng.normal(0.02, 0.01, (2, N)), 0, 1) if liar else maps,
    }
    shown = Shown(names, names, np.full(N, "here"), label)
    return Predictions(
        seeds=np.arange(2),
        tested=dict.fromkeys(logits, shown),
        logits={name: value.astype(np.float32) for name, value in logits.items()},
        subset=dict.fromkeys(logits, np.arange(N)),
        image_scores={key: value.astype(np.float32) for key, value in scores.items()},
    )


@pytest.fixture(scope="module")
def rows():
    lean = dict(zip(METHODS, (0.9, 0.7, 0.5, 0.3, 0.15, 0.05), strict=True))
    cells = {Cell("d", "b", name): stored(share, liar=name == "a") for name, share in lean.items()}
    found = summarise(cells, explained={Cell("d", "b", "a")}, draws=200).agreement
    return {(row.methods, row.first, row.second): row for row in found}


def test_measures_that_say_the_same_agree_in_full(rows):
    row = rows[ALL, "accuracy_gap", MASS]
    assert row.value == pytest.approx(1)
    assert (row.n_methods, row.first_variant, row.second_variant) == (6, "deceiving", "iid")
    assert row.low > 0.7


def test_one_method_whose_maps_lie_costs_the_agreement_of_its_pairs(rows):
    # of 15 pairs of methods the second worst is put below the four that are better than it: 4 discordant pairs
    assert rows[ALL, "accuracy_gap", f"{MASS}_lrp"].value == pytest.approx((11 - 4) / 15)
    assert rows[ALL, f"{MASS}_lrp", MASS].value == pytest.approx((11 - 4) / 15)


def test_methods_trained_through_an_explainer_are_also_left_out(rows):
    row = rows[OTHERS, "accuracy_gap", f"{MASS}_lrp"]
    assert (row.value, row.n_methods) == (pytest.approx(1), 5)


def test_every_pair_of_measures_that_are_there_comes_once(rows):
    assert len(rows) == 2 * 3


def test_a_method_whose_explainer_is_unfit_is_left_out_of_that_measure():
    lean = dict(zip(METHODS, (0.9, 0.7, 0.5, 0.3, 0.15, 0.05), strict=True))
    cells = {Cell("d", "b", name): stored(share, liar=name == "a") for name, share in lean.items()}
    weights = draw_weights(next(iter(cells.values())), "d-b", 100, 0)
    tracks = {cell: tracks_of(each, weights) for cell, each in cells.items()}
    found = agreement_rows(tracks, set(), 0, unfit={(Cell("d", "b", "a"), "_lrp")})
    rows = {(row.first, row.second): row for row in found}
    row = rows["accuracy_gap", f"{MASS}_lrp"]
    assert (row.value, row.n_methods) == (pytest.approx(1), 5)  # the liar is out
    assert "1 of 6 methods left out" in row.note
    assert rows["accuracy_gap", MASS].n_methods == 6  # by the judge it stays
