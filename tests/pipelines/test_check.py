"""The stage check where there is nothing to check."""

from argparse import Namespace
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from pipelines import check


def checked(suite: str) -> None:
    check.check(Namespace(suite=suite, record=False, strict=False))


def test_an_unknown_suite_is_an_error_that_names_the_file_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchmarkError, match=r"settings file pipelines/no_such_suite/params.yaml is missing"):
        checked("no_such_suite")


@pytest.mark.parametrize("lacking", check.NEEDED)
def test_a_suite_without_results_is_an_error_that_says_what_to_run(
    lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = tmp_path / "pipelines/small/params.yaml"
    params.parent.mkdir(parents=True)
    params.write_text("matrix: {dataset: [a], bias: [b], method: [c]}\nseeds: [0]\n")
    results = tmp_path / "results/small"
    results.mkdir(parents=True)
    for name in set(check.NEEDED) - {lacking}:
        (results / name).write_text("{}")
    told = rf"suite small has no results .*no file results/small/{lacking}.*dvc repro pipelines/small/dvc.yaml"
    with pytest.raises(BenchmarkError, match=told):
        checked("small")
    assert not (results / "check.json").exists()
