"""The workflows say what there is: their commands, their pins, and no more rights than reading."""

import re
import shlex
from pathlib import Path

import pytest

from benchmark.check.__main__ import parser
from benchmark.config import Suite, load, read_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def steps(path: Path) -> list[dict]:
    return [step for job in read_yaml(path)["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> list[list[str]]:
    """The programs that a workflow runs, without settings of the environment before them."""
    split = [shlex.split(step["run"]) for step in steps(path) if "run" in step]
    return [[word for word in words if not re.match(r"[A-Z]+=", word)] for words in split]


def test_there_are_three() -> None:
    assert [path.stem for path in FILES] == ["nightly", "regression", "test"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_and_uses_actions_by_commit_and_version(path: Path) -> None:
    content = read_yaml(path)
    assert content["permissions"] == {"contents": "read"}
    assert all("permissions" not in job and job["timeout-minutes"] <= 150 for job in content["jobs"].values())
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in used)
    for step in steps(path):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        if str(step.get("uses", "")).startswith("actions/setup-python@"):
            assert (step["with"]["cache"], step["with"]["cache-dependency-path"]) == ("pip", "requirements/*.txt")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_workflow_names_a_registry(path: Path) -> None:
    assert "://" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_command_is_one_that_there_is(path: Path) -> None:
    suite = load(Suite, ROOT / "params.yaml")
    tasks = {f"inject@{cell.task}" for cell in suite.cells()}
    for command in commands(path):
        match command:
            case ["make", target]:
                assert target in TARGETS
            case [".ci/run"]:
                assert (ROOT / ".ci/run").is_file()
            case ["dvc", "repro", target]:
                assert target in tasks
            case [".venv/bin/python", "-m", "benchmark.check", *arguments]:
                assert parser().parse_args(arguments).github
            case _:
                pytest.fail(f"{path.name} runs {command}")


def test_pushes_and_pull_requests_run_both_tiers_and_the_night_the_whole_suite() -> None:
    def tiers(name: str) -> set[str]:
        arguments = [c[3:] for c in commands(ROOT / f".github/workflows/{name}.yml") if "benchmark.check" in c]
        return {tier for given in arguments for tier in parser().parse_args(given).tier}

    assert set(read_yaml(ROOT / ".github/workflows/regression.yml")["on"]) == {"push", "pull_request"}
    assert tiers("regression") == {"recompute", "retrain"}
    assert "schedule" in read_yaml(ROOT / ".github/workflows/nightly.yml")["on"]
    assert ["make", "repro"] in commands(ROOT / ".github/workflows/nightly.yml")
    assert tiers("nightly") == {"recompute", "retrain"}
