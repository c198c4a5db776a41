"""docs/scale.md: its commands are accepted, and its costs are those of the committed tables."""

import csv
import re
import shlex

import pytest
import toy_suite as toy

PAGE = (toy.ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]
SUITES = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_would_do(project, monkeypatch, command):
    python, flag, module, name, _, *arguments = shlex.split(command, comments=True)
    assert (python, flag, module, name) == ("python", "-m", "benchmark", "launch")
    monkeypatch.setitem(toy.ENVIRONMENT, "CUDA_VISIBLE_DEVICES", "0,1,2,3")
    arguments = [
        "*-a" if before == "--only" else word for before, word in zip(["", *arguments], arguments, strict=False)
    ]
    told = toy.launch(project, *arguments, "--dry-run")
    assert re.search(r"^[14] cells to do, 0 fresh$", told, re.M)


@pytest.mark.parametrize(("suite", "cells", "seeds", "seconds", "hours"), SUITES)
def test_costs_are_those_of_the_tables(suite, cells, seeds, seconds, hours):
    with (toy.ROOT / "results" / suite / "costs.csv").open(newline="") as stream:
        trained = [float(row["train_seconds"]) for row in csv.DictReader(stream)]
    assert len(trained) == int(cells)
    assert float(seconds) == pytest.approx(sum(trained), abs=0.06)
    assert float(hours) == pytest.approx(sum(trained) * int(seeds) / 3600, abs=0.006)


def test_the_page_has_commands_and_costs():
    assert len(COMMANDS) >= 6 and len(SUITES) >= 3
