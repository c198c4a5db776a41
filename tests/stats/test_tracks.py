"""Metrics that are made of others, and of parts of the images."""

import numpy as np
import pytest

from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.processes import in_processes
from benchmark.stats.tracks import IF_CORRECT, gap_of, tracks_of
from benchmark.stats.weights import draw_weights

N, SEEDS = 80, 2
MASS = "background_relevance_mass"
LABEL = np.arange(N) % 2


def stored(scores, right=None):
    names = np.array([f"i{row:03d}" for row in range(N)])
    right = np.ones((SEEDS, N), bool) if right is None else right
    return Predictions(
        seeds=np.arange(SEEDS),
        tested={"iid": Shown(names, names, np.full(N, "here"), LABEL)},
        logits={"iid": np.eye(2, dtype=np.float32)[np.where(right, LABEL, 1 - LABEL)]},
        subset={"iid": np.arange(0, N, 2)},
        image_scores={(name, "iid"): value.astype(np.float32) for name, value in scores.items()},
    )


def found(predictions):
    return tracks_of(predictions, draw_weights(predictions, "d-b", 200, 0))


def test_relative_foreground_sensitivity_is_made_of_two_accuracies_in_every_draw():
    background, foreground = np.zeros((SEEDS, N // 2)), np.zeros((SEEDS, N // 2))
    background[:, :32], foreground[0, :16], foreground[1, :24] = 1, 1, 1
    tracks = found(stored({"background_noise_accuracy": background, "foreground_noise_accuracy": foreground}))
    track = tracks["iid", "relative_foreground_sensitivity"]
    # (0.8 - 0.4) / (2 min(0.6, 0.4)) and (0.8 - 0.6) / (2 min(0.7, 0.3))
    assert track.values == pytest.approx([0.5, 1 / 3])
    for seed in range(SEEDS):
        bg, fg = (tracks["iid", f"{where}ground_noise_accuracy"].seed_draws[seed] for where in ("back", "fore"))
        mean = (bg + fg) / 2
        np.testing.assert_allclose(track.seed_draws[seed], (bg - fg) / (2 * np.minimum(mean, 1 - mean)))


def test_relevance_of_right_answers_leaves_the_wrong_ones_out():
    mass = np.tile(np.linspace(0, 1, N // 2), (SEEDS, 1))
    right = np.ones((SEEDS, N), bool)
    right[0, 40:] = False  # the second half of the looked-at images, those of high relevance
    tracks = found(stored({MASS: mass}, right))
    assert tracks["iid", MASS].values == pytest.approx([0.5, 0.5])
    assert tracks["iid", IF_CORRECT].values == pytest.approx([mass[0, :20].mean(), 0.5])
    assert tracks["iid", IF_CORRECT].n_units.tolist() == [20, 40]


def test_rankings_share_one_pass_and_equal_the_metrics_called_alone():
    rng = np.random.default_rng(0)
    predictions = stored({})
    predictions = Predictions(
        seeds=predictions.seeds,
        tested=predictions.tested,
        logits={"iid": rng.normal(size=(SEEDS, N, 2)).astype(np.float32) + 0.5 * np.eye(2)[LABEL]},
    )
    weights = draw_weights(predictions, "d-b", 50, 0)
    tracks = tracks_of(predictions, weights)
    for name in ("macro_auroc", "macro_auroc_hand_till", "macro_auprc"):
        track = tracks["iid", name]
        for seed in range(SEEDS):
            alone = track.metric.function(predictions.logits["iid"][seed], LABEL, weights["iid"])
            np.testing.assert_array_equal(track.seed_draws[seed], alone)


def test_images_that_nobody_asked_for_count_neither_in_the_value_nor_in_the_draws():
    mass = np.full((SEEDS, N // 2), np.nan)
    mass[:, 5:15] = 0.25
    track = found(stored({MASS: mass}))["iid", MASS]
    assert track.values == pytest.approx([0.25, 0.25])
    assert track.seed_draws == pytest.approx(np.full((SEEDS, 200), 0.25))
    assert track.n_units.tolist() == [10, 10]


def test_means_over_classes_of_one_class_alone_are_not_defined():
    predictions = stored({})
    names = predictions.tested["iid"].id
    one = Predictions(
        seeds=predictions.seeds,
        tested={"iid": Shown(names, names, np.full(N, "here"), np.zeros(N, int))},
        logits=predictions.logits,
    )
    tracks = found(one)
    for name in ("balanced_accuracy", "macro_f1", "macro_auroc", "macro_auroc_hand_till", "macro_auprc"):
        assert np.isnan(tracks["iid", name].values).all(), name
        assert np.isnan(tracks["iid", name].interval().low)
    assert tracks["iid", "accuracy"].values == pytest.approx([0.5, 0.5])


def test_tracks_come_back_from_another_process_with_their_metrics():
    tracks = found(stored({MASS: np.tile(np.linspace(0, 1, N // 2), (SEEDS, 1))}))
    again = in_processes(lambda _: tracks, range(2))[0]
    assert list(again) == list(tracks)
    for key, track in tracks.items():
        assert again[key].metric == track.metric
        np.testing.assert_array_equal(again[key].seed_draws, track.seed_draws)


def test_the_metric_of_a_gap_survives_though_its_function_is_made_in_place():
    one = found(stored({}))["iid", "accuracy"]
    gap = in_processes(lambda _: gap_of(one, one), range(2))[0].metric
    assert (gap.name, gap.low, gap.high) == ("accuracy_gap", -1.0, 1.0)
    assert gap.function(np.array(0.9), np.array(0.2)) == pytest.approx(0.7)
