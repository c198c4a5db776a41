"""The sweep over timm: its list, its table, and that one bad model does not end it."""

import argparse
import math
from pathlib import Path

import pandas as pd
import pytest
import timm

from benchmark.errors import BenchmarkError
from pipelines import lrp_coverage
from pipelines.lrp_coverage import COLUMNS, measure_apart, read, sizes, sweep, write


def arguments(table: Path, *models: str, again: bool = False) -> argparse.Namespace:
    return argparse.Namespace(models=list(models), table=table, size=None, limit=300, again=again, one=None)


def row(name: str, error: float = 1e-15) -> dict:
    return {"model": name, "ran": 1, "oracle_error": error, "ledger_gap": 2e-16, "note": "64 px"}


def test_the_list_has_more_than_100_models_that_timm_has() -> None:
    assert len(sizes()) > 100
    assert set(sizes()) <= set(timm.list_models())
    assert sizes()["resnet18"] == 64
    assert sizes()["swinv2_tiny_window8_256"] == 256


def test_a_sweep_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    table, asked = tmp_path / "lrp" / "coverage.csv", []

    def measured(name: str, size: int, limit: float) -> dict:
        asked.append((name, size))
        if name == "vgg11" and len(asked) == 2:
            raise KeyboardInterrupt
        return row(name)

    monkeypatch.setattr(lrp_coverage, "measure_apart", measured)
    with pytest.raises(KeyboardInterrupt):
        sweep(arguments(table, "resnet18", "vgg11", "inception_v3"))
    assert list(read(table)) == ["resnet18"]
    sweep(arguments(table, "resnet18", "vgg11", "inception_v3"))
    assert asked == [("resnet18", 64), ("vgg11", 64), ("vgg11", 64), ("inception_v3", 96)]
    assert list(read(table)) == ["inception_v3", "resnet18", "vgg11"]
    assert "1 of 3 models are in" in capsys.readouterr().out
    sweep(arguments(table, "vgg11", again=True))
    assert len(asked) == 5


def test_what_could_not_be_measured_is_an_empty_field(tmp_path: Path) -> None:
    table = tmp_path / "coverage.csv"
    rows = {"b": {**row("b"), "ran": 0, "oracle_error": math.nan, "ledger_gap": math.nan}, "a": row("a", 1.26e-9)}
    write(table, rows)
    assert table.read_text().splitlines() == [",".join(COLUMNS), "a,1,1.3e-09,2.0e-16,64 px", "b,0,,,64 px"]
    again = read(table)
    assert math.isnan(again["b"]["oracle_error"])
    write(table, again)
    assert table.read_text().splitlines()[2] == "b,0,,,64 px"


def test_another_table_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"model": ["resnet18"]}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(BenchmarkError, match="expected model, ran"):
        read(tmp_path / "other.csv")


@pytest.mark.slow
def test_a_part_of_the_sweep(tmp_path: Path) -> None:
    table = tmp_path / "coverage.csv"
    sweep(arguments(table, "test_resnet", "test_vit", "no_such_model"))
    rows = read(table)
    for name in ("test_resnet", "test_vit"):
        assert rows[name]["ran"] == 1
        assert rows[name]["oracle_error"] < 1e-9
        assert rows[name]["ledger_gap"] < 1e-9
    assert rows["no_such_model"]["ran"] == 0
    assert "no_such_model" in rows["no_such_model"]["note"]


@pytest.mark.slow
def test_a_model_that_takes_too_long_is_a_row() -> None:
    assert "not finished after 1 s" in measure_apart("test_resnet", 64, limit=1)["note"]
