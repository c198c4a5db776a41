"""What `python -m pipelines.same_bits` says of an edit, with real trainings by two trees of code."""

from __future__ import annotations

import shutil

import pytest
from jobs import strokes

from benchmark.biases.corner import Corner
from benchmark.data.pack_write import write_columns
from benchmark.inject import inject
from benchmark.provenance import raw_code_hash
from pipelines.same_bits import ROOT, finish, rows, small, start

COMMON = {"shown_on": "here", "commit": "none", "cpu": "any", "torch": "any"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """Rows by edit of the plain method: one in words, one of form, one of the loss; each against the code as it is."""
    folder = tmp_path_factory.mktemp("same")
    whole, pack = folder / "whole.h5", folder / "pack.h5"
    write_columns(whole, {name: s.columns() for name, s in inject(strokes(192), Corner(Corner.Settings())).items()}, {})
    small(whole, pack, 192)
    edits = {"words": "cross_entropy(", "form": "1 * cross_entropy(", "loss": "2 * cross_entropy("}
    order = {
        "task": "train",
        "pack": str(pack),
        "epochs": 1,
        "files": [str(ROOT / "pipelines/configs/methods/erm.yaml")],
    }
    running = {"as it is": start(ROOT, {**order, "out": str(folder / "new")})}
    for name, after in edits.items():
        tree = folder / name
        for part in ("benchmark", "baselines", "isnet", "pipelines"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        code = tree / "baselines" / "erm.py"
        text = code.read_text()
        assert text.count("cross_entropy(") == 1
        code.write_text(text.replace("cross_entropy(", after) + "\n# edited\n")
        running[name] = start(tree, {**order, "out": str(folder / f"out-{name}")})
    done = {name: finish(one) for name, one in running.items()}
    return {name: list(rows("training", done["as it is"], done[name], COMMON)) for name in edits}


def test_an_edit_of_words_is_the_same_code_and_needs_no_row(found) -> None:
    assert found["words"] == []


def test_an_edit_that_moves_a_bit_gets_no_row(found) -> None:
    assert found["loss"] == []


def test_an_edit_that_moves_no_bit_leads_back_to_the_code_before(found) -> None:
    [row] = found["form"]
    assert (row["kind"], row["name"], row["shown_on"]) == ("training", "erm", "here")
    assert row["code"] == raw_code_hash("erm") != row["same_as"]


def test_code_that_several_methods_share_needs_the_same_bits_of_all_of_them() -> None:
    new = {"a": {"name": "one", "code": "new", "bits": "1"}, "b": {"name": "two", "code": "new", "bits": "2"}}
    old = {key: {**each, "code": "old"} for key, each in new.items()}
    [row] = rows("training", new, old, COMMON)
    assert (row["name"], row["code"], row["same_as"]) == ("one two", "new", "old")
    assert list(rows("training", new, {**old, "b": {**old["b"], "bits": "3"}}, COMMON)) == []
