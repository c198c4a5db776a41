"""The freshness gate on this very state of the repository, and that it bites."""

from pathlib import Path

import pytest
from repository import run

from pipelines.fresh import stale_lines


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
