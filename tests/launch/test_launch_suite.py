"""The real pipeline, small, by two workers of this machine: as `dvc repro` would have left it."""

import csv

import pytest
import real_suite
from real_suite import run


@pytest.mark.slow
def test_a_real_suite_is_trained_scored_and_recorded_by_two_workers(tmp_path):
    root = real_suite.make(tmp_path / "clone")
    told = run("python", "-m", "benchmark", "launch", "default", "--jobs", "2", "--gpus", "0", cwd=root)
    assert "4 cells done, 0 were fresh, 0 failed" in told
    assert "Running stage" not in run(
        "dvc", "repro", *(f"score@mnist5k-corner-{m}" for m in real_suite.CELLS), cwd=root
    )
    told = run("python", "-m", "benchmark", "launch", "default", cwd=root)
    assert "all 4 cells of suite default are fresh: nothing to do" in told
    run("dvc", "repro", "report", cwd=root)
    with (root / "results/default/scores.csv").open(newline="") as stream:
        rows = [(row["method"], row["variant"], row["metric"]) for row in csv.DictReader(stream)]
    assert len(set(rows)) == len(rows)
    assert {row[0] for row in rows} == set(real_suite.CELLS)
