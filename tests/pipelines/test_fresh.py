"""The freshness gate on this very state of the repository, and that it bites."""

from pathlib import Path

import pytest
from repository import run

from pipelines.fresh import stale_lines, undeclared


def test_committed_results_belong_to_the_committed_code(clone: Path) -> None:
    assert run("python", "-m", "pipelines.fresh", cwd=clone, code=None).startswith("fresh:")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Stage 'pack@mnist5k' didn't change, skipping\nData and pipelines are up to date.\n", []),
        ("Running stage 'report':\n> python -m pipelines.report default\n", ["Running stage 'report':"]),
        (
            "ERROR: failed to reproduce 'train@a-b-c': missing data\n",
            ["ERROR: failed to reproduce 'train@a-b-c': missing data"],
        ),
        (
            "Stage 'score@a-b-c' will be skipped due to this failure\n",
            ["Stage 'score@a-b-c' will be skipped due to this failure"],
        ),
    ],
)
def test_what_dvc_prints_for_a_stale_stage_is_found(output: str, expected: list[str]) -> None:
    assert stale_lines(output) == expected


def test_a_suite_that_says_that_it_is_stale_excuses_its_own_stages_only() -> None:
    lines = [
        "Running stage 'pipelines/study/dvc.yaml:train@a-b-c':",
        "Stage 'pipelines/study/dvc.yaml:report' will be skipped due to this failure",
        "Running stage 'pipelines/study2/dvc.yaml:report':",
        "Running stage 'report':",
    ]
    assert undeclared(lines, [Path("pipelines/study/STALE.md")]) == lines[2:]
    assert undeclared(lines, []) == lines
