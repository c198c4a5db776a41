"""The suite of network families: pairs that may be compared, networks that the engine explains, and its page."""

import csv
import re

import pytest
import torch
from repository import ROOT

from benchmark.api import Task
from benchmark.backbone import create_classifier
from benchmark.config import Suite, load, load_method
from benchmark.paths import SuitePaths
from isnet import lrp

SUITE = SuitePaths("architectures")
METHODS = load(Suite, ROOT / SUITE.params).matrix.method
FAMILIES = [name.removeprefix("erm_") for name in METHODS if name.startswith("erm_")]
SUMMARY = ROOT / "results" / "architectures" / "summary.csv"
PAGE = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")


def settings(method):
    return load_method(ROOT / SUITE.method_yaml(method))


def rows_of_page(start):
    """The cells behind the first one of the rows of the page whose first cell is ``start``."""
    return [line.split(" | ")[1:] for line in re.findall(rf"^\| ({re.escape(start)} \|[^\n]*) \|$", PAGE, re.M)]


def expected(method, variant, metric):
    """A number as the page writes it, from the suite's table, or that there is none yet."""
    if not SUMMARY.is_file():
        return "not run"
    with SUMMARY.open(newline="", encoding="utf-8") as stream:
        (row,) = [
            row
            for row in csv.DictReader(stream)
            if (row["method"], row["variant"], row["metric"]) == (method, variant, metric)
        ]
    return "{:.3f} [{:.3f}, {:.3f}]".format(*(float(row[name]) for name in ("value", "low", "high")))


def test_every_family_is_a_pair_and_nothing_else_is_there():
    assert sorted(METHODS) == sorted(["erm", *(f"{kind}_{f}" for kind in ("erm", "isnet_path") for f in FAMILIES)])
    assert {file.stem for file in (ROOT / SUITE.method_yaml("erm")).parent.iterdir()} == set(METHODS)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pair_trains_one_network_and_differs_in_the_method(family):
    plain, trained = settings(f"erm_{family}"), settings(f"isnet_path_{family}")
    assert (plain.method, trained.method) == ("erm", "isnet_path")
    assert plain.training.backbone == trained.training.backbone
    assert rows_of_page(f"`{family}`")[0][0] == f"`{plain.training.backbone}`"


def test_the_reference_is_the_default_suites_to_the_letter():
    ours, theirs = settings("erm"), load_method(ROOT / SuitePaths().method_yaml("erm"))
    assert (ours.training, ours.options) == (theirs.training, theirs.options)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_relevance_engine_explains_the_network(family):
    torch.manual_seed(0)
    network = create_classifier(Task(settings(f"erm_{family}").training.backbone, 10, 1, 28, 28)).double()
    images = torch.rand(16, 1, 28, 28, dtype=torch.float64)
    network.train()(images)  # running statistics that are not those of the first day
    assert lrp.check(network.eval(), images[:4], torch.arange(4)).ok


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_tells_what_the_results_say(family):
    asked = [("erm", "iid", "accuracy"), ("erm", "deceiving", "accuracy")]
    asked += [("isnet_path", variant, "accuracy") for variant in ("iid", "ood", "deceiving")]
    asked += [("isnet_path", "deceiving", "accuracy_gap")]
    told = rows_of_page(f"`{family}`")[-1]
    assert told == [expected(f"{kind}_{family}", variant, metric) for kind, variant, metric in asked]


def test_results_and_the_note_that_there_are_none_exclude_each_other():
    assert SUMMARY.is_file() != (ROOT / "pipelines" / "architectures" / "STALE.md").is_file()
