import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import listing
from benchmark.cli.main import main
from benchmark.registry import REGISTRIES, Registry

ROOT = Path(__file__).resolve().parents[2]
METADATA = "Metadata-Version: 2.1\nName: toys\nVersion: 2.1\n"
POINTS = "[shortcut_bench.methods]\ntoy = toys:Toy\nlost = toys.nowhere:Lost\nerm = toys:Toy\nis-net = toys:Toy\n"
POINTS += "[shortcut_bench.metrics]\nlow = toys:Toy\n"


def listed(*arguments: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["list", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def program(*arguments: str, path: Path | None = None) -> str:
    """What `python -m benchmark` prints in a fresh process."""
    variables = {**os.environ, "PYTHONPATH": str(path or "")}
    command = [sys.executable, "-m", "benchmark", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    """A folder with an installed package of one sound method and four broken extensions."""
    info = tmp_path / "toys-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "toys.py").write_text("from baselines.rrr import RRR\nclass Toy(RRR): source = 'toy maker'\n")
    return tmp_path


def test_a_method_is_listed_with_origin_needs_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in listed("methods", capsys=capsys)["methods"]}
    assert rows["erm"]["needs"] == "nothing"
    assert rows["erm"]["source"].startswith("Vapnik 1991")
    assert rows["rrr"]["needs"] == "training masks"
    assert {rows[name]["origin"] for name in ("erm", "rrr")} == {"built-in"}
    assert rows["rrr"]["target"] == "baselines.rrr:RRR"


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_name_of_ours_works_and_says_where_it_comes_from(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in listed(kind, capsys=capsys)[kind] if row["origin"] == "built-in"]
    assert rows
    assert [row["name"] for row in rows if row["error"] or not row["source"]] == []


def test_all_kinds_are_listed_when_none_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert list(listed(capsys=capsys)) == ["methods", "datasets", "biases", "metrics", "explainers", "suites"]


def test_a_package_is_listed_and_what_is_broken_of_it_with_the_error(toys: Path) -> None:
    lines = {line.split()[0]: line for line in program("list", "methods", path=toys).splitlines()[1:]}
    assert re.split(" {2,}", lines["toy"].strip()) == ["toy", "toys 2.1", "needs training masks", "toy maker"]
    assert "BROKEN: method 'lost' (toys 2.1) cannot be imported" in lines["lost"]
    assert "BROKEN: method 'erm' is registered twice; got 'baselines.erm:ERM (built-in) and toys:Toy" in lines["erm"]
    assert "BROKEN: method name is not usable in a cell" in lines["is-net"]
    assert "BROKEN" not in lines["gain"]
    assert "BROKEN: metric 'low' does not fit the contract" in program("list", "metrics", path=toys)


def test_a_suite_is_listed_with_its_size_and_a_broken_one_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    good = "matrix: {dataset: [a], bias: [b, c], method: [d, e, f]}\nseeds: [0, 1]\n"
    for name, text in (("small", good), ("bad", good.replace("seeds", "sedes"))):
        (tmp_path / "pipelines" / name).mkdir(parents=True)
        (tmp_path / "pipelines" / name / "params.yaml").write_text(text)
    (tmp_path / "pipelines" / "configs").mkdir()
    bad, small = listed("suites", capsys=capsys)["suites"]
    assert small["file"] == "pipelines/small/params.yaml"
    assert small["cells_and_seeds"] == "6 cells x 2 seeds = 12 trainings"
    assert "sedes" in bad["error"]
    (tmp_path / "params.yaml").write_text(good)
    assert [row["name"] for row in listed("suites", capsys=capsys)["suites"]] == ["default", "bad", "small"]


def test_a_folder_without_suites_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["list", "suites"]) == 0
    assert capsys.readouterr().out == "suites: none here\n"


@pytest.mark.parametrize("kind", ["suites", "metrics", "biases"])
def test_listing_what_needs_no_torch_imports_none(kind: str) -> None:
    code = (
        "import sys; from benchmark.cli.main import main; main(['list', sys.argv[1]]); "
        "sys.exit(','.join({'torch', 'timm', 'captum'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, kind]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "SHORTCUT_BENCH_NO_PLUGINS": "1"}, capture_output=True, text=True
    )
    assert done.stderr.strip() == ""


def test_columns_are_aligned_and_the_last_is_not_padded() -> None:
    rows = [listing.Row("a", "m:A", "built-in", "", "one"), listing.Row("longer", "m:B", "x 1", "", "two words")]
    assert list(listing.table(rows)) == ["a       built-in  one", "longer  x 1       two words"]


def test_a_functions_source_is_told_by_its_docstring() -> None:
    def sourced() -> None:
        """What it does.

        Source:
            A paper.
        """

    def plain() -> None:
        """What it does."""

    assert [listing.source_of(each) for each in (sourced, plain, lambda: None)] == ["A paper.", "What it does.", ""]


def test_an_empty_registry_is_listed_as_such() -> None:
    assert list(listing.table([listing.row_of(Registry("thing", {}), name) for name in Registry("thing", {})])) == []
