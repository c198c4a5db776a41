"""A chain of edits that moved no bit leads back to the code that the results were made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.provenance import code_hash, raw_code_hash
from benchmark.same_bits import COLUMNS, first_of, known
from benchmark.tables import write_csv

A, B, C = (letter * 64 for letter in "abc")


def written(path: Path, *pairs: tuple[str, str]) -> Path:
    rows = [dict.fromkeys(COLUMNS, "x") | {"code": code, "same_as": old} for code, old in pairs]
    write_csv(path, rows, COLUMNS)
    return path


def test_edits_lead_back_to_the_oldest_code(tmp_path: Path) -> None:
    table = known(written(tmp_path / "t.csv", (B, A), (C, B)))
    assert [first_of(code, table) for code in (A, B, C)] == [A, A, A]


def test_code_that_nobody_compared_is_its_own() -> None:
    assert first_of(C, {B: A}) == C


def test_edits_to_and_fro_have_one_name() -> None:
    assert first_of(A, {A: B, B: A}) == first_of(B, {A: B, B: A}) == A


def test_without_a_table_nothing_is_known(tmp_path: Path) -> None:
    assert known(tmp_path / "none.csv") == {}


@pytest.mark.parametrize("line", ["code\nx\n", f"code,same_as\n{A},{B[:-1]}\n", f"code,same_as\n{A}\n"])
def test_a_damaged_table_is_an_error(tmp_path: Path, line: str) -> None:
    (tmp_path / "t.csv").write_text(line)
    with pytest.raises(BenchmarkError, match="two SHA-256"):
        known(tmp_path / "t.csv")


def test_the_name_of_code_is_that_of_the_oldest_in_the_committed_table() -> None:
    assert code_hash("erm") == first_of(raw_code_hash("erm"))
