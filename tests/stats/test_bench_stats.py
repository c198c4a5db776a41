"""The bench of the bootstrap: both ways give one distribution, the table says what was timed, the bounds are kept."""

import csv
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmark.stats.timing import JOBS, Shown, fast, measured, slow

ROOT = Path(__file__).resolve().parents[2]
OURS = ["case", "draws", "units", "classes", "clusters", "seconds", "ratio_to_scipy", "repeats", "threads"]
COLUMNS = [*OURS, "numpy", "scipy", "scipy_draws"]
SMALL = {job.case: replace(job, cells=1, variants=1, units=120, draws=2000, classes=3) for job in JOBS}
SMALL = {case: replace(job, clusters=30 if job.clusters else 0) for case, job in SMALL.items()}


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["case"]: row for row in csv.DictReader(stream)}


def keeps_the_bounds(seconds):
    """The bounds, written down once more."""
    assert seconds["accuracy_and_macro_f1"] < 10
    assert seconds["accuracy_and_macro_f1_patterns"] < 10
    assert seconds["macro_auroc"] < 2
    for case in ("accuracy_and_macro_f1", "macro_auroc"):
        assert seconds[f"{case}_clusters"] < 5 * seconds[case]


@pytest.mark.parametrize("case", SMALL)
def test_the_fast_way_and_scipys_give_one_distribution(case):
    job, rng = SMALL[case], np.random.default_rng(1)
    shown = Shown.made_up(job, rng)
    ours, theirs = fast(job, [shown], rng)[0, 0], slow(job, shown, 1000, rng)
    assert ours.shape == (len(job.metrics), 2000)
    assert theirs.shape == (len(job.metrics), 1000)
    for one, other in zip(ours, theirs, strict=True):
        assert stats.ks_2samp(one, other).pvalue > 1e-3
        assert one.std(ddof=1) == pytest.approx(other.std(ddof=1), rel=0.12)  # four sigma of a spread of 1,000 draws


@pytest.mark.parametrize("case", SMALL)
def test_the_stream_decides(case):
    job = SMALL[case]
    shown = Shown.made_up(job, np.random.default_rng(2))
    first = fast(job, [shown], np.random.default_rng(3))
    np.testing.assert_array_equal(first, fast(job, [shown], np.random.default_rng(3)))
    assert (first != fast(job, [shown], np.random.default_rng(4))).any()


def test_cells_of_a_variant_share_their_images_and_draws():
    job = replace(SMALL["accuracy_and_macro_f1_clusters"], cells=3, variants=2, draws=400)
    variants = [Shown.made_up(job, np.random.default_rng(seed)) for seed in (5, 6)]
    for shown in variants:
        assert shown.scores.shape == (3, 120, 3)
        assert np.unique(shown.unit, return_counts=True)[1].tolist() == [4] * 30
        assert 0.6 < (shown.scores.argmax(2) == shown.label).mean() < 1
        shown.scores[1] = shown.scores[0]
    found = fast(job, variants, np.random.default_rng(7))
    assert found.shape == (2, 3, 2, 400)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])  # the same scores under the same draws
    assert (found[:, 0] != found[:, 2]).any()


def test_the_least_time_counts_and_scipys_is_scaled_up_to_the_table(monkeypatch):
    ticks = iter([0, 7, 10, 13, 20, 26])  # ours 7 and 3 s, SciPy's 6 s
    monkeypatch.setattr(time, "process_time", lambda: next(ticks))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    row = measured(replace(SMALL["accuracy_and_macro_f1"], cells=2, variants=4, draws=50), repeats=2, scipy_draws=10)
    # 6 s for 10 draws of a cell and variant: 0.6 s * 50 draws * 8 = 240 s
    assert (row.seconds, row.ratio_to_scipy) == (3, pytest.approx(3 / 240))
    assert (row.case, row.draws, row.units, row.classes, row.clusters) == ("accuracy_and_macro_f1", 50, 120, 3, 0)
    assert (row.repeats, row.threads, row.scipy_draws, row.numpy) == (2, 1, 10, np.__version__)


def test_the_program_writes_its_table_and_says_which_bounds_are_kept(tmp_path):
    out = tmp_path / "bench.csv"
    command = [sys.executable, "-m", "pipelines.bench_stats", "--draws", "20", "--repeats", "1", "--scipy-draws", "3"]
    ended = subprocess.run(
        [*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    rows = read(out)
    assert list(rows) == [job.case for job in JOBS]
    for row in rows.values():
        assert list(row) == COLUMNS
        assert float(row["seconds"]) > 0
        assert float(row["ratio_to_scipy"]) > 0
        assert (row["draws"], row["threads"]) == ("20", "1")
    told = dict(re.findall(r"^(?:kept|BROKEN): (\w+) in .* at most (\S+) s$", ended.stdout, re.M))
    assert list(told.values())[:3] == ["10.00", "10.00", "2.00"]
    for case in ("accuracy_and_macro_f1", "macro_auroc"):
        assert float(told[f"{case}_clusters"]) == pytest.approx(5 * float(rows[case]["seconds"]), abs=0.006)
    assert [path.name for path in tmp_path.iterdir()] == ["bench.csv"]


def test_the_published_table_is_complete_and_keeps_the_bounds():
    rows = read(ROOT / "results" / "stats" / "bench.csv")
    assert list(rows) == [job.case for job in JOBS]
    assert all(list(row) == COLUMNS for row in rows.values())
    keeps_the_bounds({case: float(row["seconds"]) for case, row in rows.items()})
    for job in JOBS:
        row = rows[job.case]
        assert [int(row[name]) for name in ("draws", "units", "classes", "threads")] == [10_000, 2_000, 10, 1]
        assert int(row["clusters"]) == (250 if job.case.endswith("_clusters") else 0)
        assert float(row["ratio_to_scipy"]) < 0.1


@pytest.mark.slow
def test_whole_tables_are_bootstrapped_in_seconds_of_one_core():
    rows = [measured(job, repeats=2, scipy_draws=20) for job in JOBS]
    for row in rows:
        print(f"{row.case}: {row.seconds:.2f} s, {row.ratio_to_scipy:.4f} of SciPy's")
    keeps_the_bounds({row.case: row.seconds for row in rows})
    assert all(row.ratio_to_scipy < 0.1 for row in rows)
