"""The test of the intervals: what the committed simulation found, and that docs/statistics.md tells it as it is."""

import argparse
import csv
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmark.stats.agreement import FEWEST as FEWEST_METHODS
from benchmark.stats.interval import variance_sum
from benchmark.stats.ranks import FEWEST as FEWEST_DATASETS
from benchmark.stats.simulate import DESIGNS, coverage
from pipelines.coverage import NAMES, REPETITIONS, SEEDS, main

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "results" / "stats" / "coverage.csv"
PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
COLUMNS = ["interval", "seeds", "clusters", "nominal", "coverage", "width", "repetitions"]
CASES = [(clusters, seeds) for clusters in ("none", "patients") for seeds in (3, 5, 10)]
HEADLINE = "variance_sum"


def read(path=TABLE):
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert all(list(row) == COLUMNS for row in rows)
    return {(row["interval"], row["clusters"], int(row["seeds"])): row for row in rows}


def covered(interval, table):
    return [float(table[interval, *case]["coverage"]) for case in CASES]


def cells(start):
    """The rows of a table of the page whose first cell starts so: ``[[cell, ...], ...]``."""
    rows = re.findall(rf"^\| ({start}[^\n]*) \|$", PAGE, re.M)
    return [[cell.strip() for cell in row.split("|")] for row in rows]


# --- the committed table --------------------------------------------------------------------------


@pytest.mark.parametrize(("clusters", "seeds"), CASES)
def test_the_headline_covers_at_least_93_5_percent(clusters, seeds):
    row = read()[HEADLINE, clusters, seeds]
    assert float(row["nominal"]) == 0.95
    assert float(row["coverage"]) >= 0.935


def test_the_table_is_complete_and_precise():
    table = read()
    assert set(table) == {(interval, *case) for interval in NAMES for case in CASES}
    for row in table.values():
        repetitions, found = int(row["repetitions"]), float(row["coverage"])
        assert repetitions == REPETITIONS
        assert 0 < float(row["width"]) < 1
        assert math.sqrt(found * (1 - found) / repetitions) < 0.005
    assert SEEDS == (3, 5, 10)


def test_common_practice_covers_less():
    table = read()
    headline = covered(HEADLINE, table)
    for practice in ("se", "se_196", "image_bootstrap", "unit_bootstrap"):
        assert all(np.less(covered(practice, table), np.subtract(headline, 0.05)))
    assert max(covered("se", table)) < 0.6  # which says 68 %
    # a t interval over seeds is worse the more seeds there are
    assert covered("t_seeds", table)[:3] == sorted(covered("t_seeds", table)[:3], reverse=True)


def test_without_clusters_images_are_the_units():
    table = read()
    assert covered("image_bootstrap", table)[:3] == covered("unit_bootstrap", table)[:3]
    assert all(np.less(covered("image_bootstrap", table)[3:], np.subtract(covered("unit_bootstrap", table)[3:], 0.1)))


# --- what docs/statistics.md says -----------------------------------------------------------------


def test_the_pages_table_is_the_committed_one():
    table = read()
    for interval, name in NAMES.items():
        (row,) = cells(re.escape(name) + r" \|")
        assert row[1:] == [f"{100 * found:.1f}" for found in covered(interval, table)]
    assert f"{REPETITIONS:,} repetitions" in PAGE
    assert "](../results/stats/coverage.svg)" in PAGE
    assert (ROOT / "results" / "stats" / "coverage.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_the_page_tells_the_truth_of_the_population():
    (truth,) = {round(design.truth(), 3) for design in DESIGNS}
    assert f"accuracy is {truth}" in " ".join(PAGE.split())
    design = DESIGNS[0]
    assert "= 1.5 + training" in PAGE
    assert f"deviations {design.seed_sd}, {design.patient_sd:g} and {design.image_sd:g}" in PAGE


def normal_coverage(seeds, share, nodes=800):
    """Coverage for normal effects and many units: the mean over the distribution of s², through the real interval.

    The value is normal with variance 1 around the truth and independent of ``s² = share · seeds · χ²_f / f``, so an
    interval ± h covers ``2 Φ(h) - 1``.
    """
    df = seeds - 1
    chances = (np.arange(nodes) + 0.5) / nodes
    shape = np.arange(seeds) - df / 2
    shape = shape / shape.std(ddof=1)
    draws = np.array([-1, 1]) * math.sqrt((1 - share) / 2)  # of sample variance 1 - share
    spread = np.sqrt(share * seeds * stats.chi2.ppf(chances, df) / df)
    half = [(got := variance_sum(each * shape, draws, 10**6)).high - got.value for each in spread]
    return float(np.mean(2 * stats.norm.cdf(half) - 1))


def test_the_pages_weakest_spot_is_computed():
    (head,) = cells("share of seeds")
    for row in cells(r"\d+ seeds \|"):
        seeds = int(row[0].split()[0])
        for share, told in zip(head[1:], row[1:], strict=True):
            assert 100 * normal_coverage(seeds, float(share), 400) == pytest.approx(float(told), abs=0.08)
    assert len(cells(r"\d+ seeds \|")) == 4


def test_with_seeds_or_units_alone_the_headline_is_exact():
    assert normal_coverage(3, 0.999999) == pytest.approx(0.95, abs=0.002)
    assert normal_coverage(3, 1e-6) == pytest.approx(0.95, abs=0.002)


def test_the_page_names_what_there_is():
    names = set(re.findall(r"`([a-z_]+)\.([a-z_]+)`", PAGE)) - {("coverage", "csv"), ("bench", "csv")}
    files = {name for name in names if name[1] == "csv"}
    assert {f"{stem}.csv" for stem, _ in files} == {"summary.csv", "comparisons.csv", "agreement.csv", "guards.csv"}
    assert len(names - files) > 12
    for module, function in names - files:
        source = (ROOT / "benchmark" / "stats" / f"{module}.py").read_text(encoding="utf-8")
        assert f"def {function}(" in source, f"{module}.{function}"
    assert (FEWEST_DATASETS, FEWEST_METHODS) == (6, 4)  # in words there


def test_the_page_shows_what_power_answers():
    (command,) = re.findall(r"^python (-m benchmark power .*)$", PAGE, re.M)
    ended = subprocess.run(
        [sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    shown = PAGE.split(command)[1].split("```text\n")[1].split("```")[0].splitlines()
    said = ended.stdout.splitlines()
    assert len(shown) > 5
    assert [line for line in shown if line != "..." and line not in said] == []


def test_the_pages_speeds_are_the_benchs():
    with (ROOT / "results" / "stats" / "bench.csv").open(newline="", encoding="utf-8") as stream:
        bench = {row["case"]: row for row in csv.DictReader(stream)}
    for start, case in {
        "accuracy and macro F1": "accuracy_and_macro_f1",
        "the same, each": "accuracy_and_macro_f1_patterns",
        "macro AUROC of": "macro_auroc",
    }.items():
        (row,) = cells(start)
        seconds = float(bench[case]["seconds"])
        assert row[1] == f"{seconds:.2g}"
        assert float(row[3]) == pytest.approx(float(bench[case]["ratio_to_scipy"]), abs=5e-4)
        assert seconds < float(row[4])
        if row[2]:
            assert row[2] == f"{float(bench[case + '_clusters']['seconds']):.2g}"


# --- the program ----------------------------------------------------------------------------------


def test_the_program_writes_table_and_figure_and_prints_the_pages_rows(tmp_path, capsys):
    made = [tmp_path / name / "coverage.csv" for name in ("one", "two")]
    for out in made:
        main(argparse.Namespace(repetitions=2, out=out))
    table = read(made[0])
    assert set(table) == set(read())
    assert {row["repetitions"] for row in table.values()} == {"2"}
    printed = capsys.readouterr().out.splitlines()
    for interval, name in NAMES.items():
        assert f"| {name} | {' | '.join(f'{100 * found:.1f}' for found in covered(interval, table))} |" in printed
    for name in ("coverage.csv", "coverage.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in made[0].parent.iterdir()) == ["coverage.csv", "coverage.svg"]


@pytest.mark.slow
def test_another_stream_finds_the_same_coverage():
    committed, repetitions = read(), 2500
    for design, seed in zip(DESIGNS, (11, 12), strict=True):
        for row in coverage(design, (3, 5, 10), repetitions, 400, np.random.default_rng(seed)):
            there = float(committed[row["interval"], row["clusters"], row["seeds"]]["coverage"])
            error = math.sqrt(there * (1 - there) * (1 / repetitions + 1 / REPETITIONS))
            assert row["coverage"] == pytest.approx(there, abs=4 * error)
