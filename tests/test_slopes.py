import numpy as np
import pytest
from scipy import stats

from benchmark.cell import Cell
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.slopes import slope, slope_rows

N, SEEDS = 100, 3
DOSES = (0.1, 0.5, 0.9, 1.0)


def stored(accuracies):
    """Two classes; seed ``s`` has the first ``accuracies[s] N`` images right where the mark deceives, all on iid."""
    label, names = np.arange(N) % 2, np.array([f"i{row:03d}" for row in range(N)])
    right = np.arange(N)[None] < np.round(np.array(accuracies) * N)[:, None]
    answers = {"iid": np.tile(label, (SEEDS, 1)), "deceiving": np.where(right, label, 1 - label)}
    shown = Shown(names, names, np.full(N, "here"), label)
    logits = {variant: np.eye(2, dtype=np.float32)[answer] for variant, answer in answers.items()}
    return Predictions(seeds=np.arange(SEEDS), tested=dict.fromkeys(logits, shown), logits=logits)


def suite(accuracy, doses=DOSES, **other):
    cells = {Cell("d", f"r{round(100 * dose)}", "erm"): stored(accuracy(dose)) for dose in doses}
    settings = {cell: {"correlation": d, "strength": 1.0} | other for cell, d in zip(cells, doses, strict=True)}
    return cells, settings, dict.fromkeys(cells, "corner")


def test_the_slope_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    doses, values = rng.random(5), rng.random((5, 4))
    expected = [stats.linregress(doses, values[:, column]).slope for column in range(4)]
    np.testing.assert_allclose(slope(doses, values), expected)


def test_a_method_that_loses_by_the_dose_has_the_slope_of_its_line():
    rows = slope_rows(*suite(lambda dose: [0.95 - 0.5 * dose, 0.9 - 0.5 * dose, 0.85 - 0.5 * dose]), draws=500)
    found = {row.variant: row for row in rows}
    line = found["deceiving"]
    assert line.value == pytest.approx(-0.5, abs=0.01)
    assert line.low < -0.5 < line.high
    assert (line.dial, line.held, line.at, line.doses, line.n_units, line.n_seeds) == (
        *("correlation", "strength", 1.0, "0.1; 0.5; 0.9; 1", N, SEEDS),
    )
    assert found["iid"].value == 0


def test_seeds_that_differ_widen_the_interval():
    alike, apart = (
        slope_rows(
            *suite(lambda dose, s=spread: [0.9 - (0.5 + s) * dose, 0.9 - 0.5 * dose, 0.9 - (0.5 - s) * dose]), draws=500
        )
        for spread in (0.0, 0.2)
    )
    widths = [next(r.high - r.low for r in rows if r.variant == "deceiving") for rows in (alike, apart)]
    assert widths[1] > 2 * widths[0]


def test_two_doses_or_another_setting_make_no_series():
    assert slope_rows(*suite(lambda dose: [0.5] * SEEDS, DOSES[:2]), draws=50) == []
    cells, settings, names = suite(lambda dose: [0.5] * SEEDS)
    for place, given in enumerate(settings.values()):
        given["size"] = place
    assert slope_rows(cells, settings, names, draws=50) == []
    assert slope_rows(cells, {cell: {} for cell in cells}, names, draws=50) == []
