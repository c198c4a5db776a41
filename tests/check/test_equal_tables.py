from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmark.check.equal import Kind, compare_tables, same
from benchmark.errors import BenchmarkError


@dataclass
class Line:
    name: str
    value: float
    count: int
    note: str


KIND = Kind(Line, ("name",))
HEAD = "name, value, count, note"
TABLE = "name,value,count,note\na,0.5,3,fine\nb,,4,\n"


def compared(tmp_path: Path, committed: str, fresh: str = TABLE):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    paths = [tmp_path / "old/table.csv", tmp_path / "new/table.csv"]
    for path, text in zip(paths, (committed, fresh), strict=True):
        path.write_text(text)
    return compare_tables(KIND, *paths)


@pytest.mark.parametrize(
    ("recorded", "found", "kind", "expected"),
    [
        ("0.5", "0.5", float, True),
        ("0.5", "0.5000000009", float, True),
        ("0.5", "0.5000000011", float, False),
        ("0.5", "5e-1", float, True),
        ("", "", float, True),
        ("", "0.0", float, False),
        ("0.0", "", float, False),
        ("0.5", "half", float, False),
        ("0.5", "nan", float, False),
        ("inf", "inf", float, True),
        ("inf", "1.0", float, False),
        ("3", "3", int, True),
        ("3", "3.0", int, False),
        ("0.02; 1", "0.020000000001; 1", str, False),
    ],
)
def test_numbers_agree_to_a_billionth_and_the_rest_to_the_letter(recorded, found, kind, expected):
    assert same(recorded, found, kind) is expected


def test_equal_tables_have_all_their_fields_compared(tmp_path: Path):
    assert compared(tmp_path, TABLE) == (8, [])


@pytest.mark.parametrize(
    ("committed", "told"),
    [
        (TABLE.replace("0.5", "0.6"), ("a", "value", "0.6", "0.5", "± 1e-09")),
        (TABLE.replace("fine", "Fine"), ("a", "note", "Fine", "fine", "equal")),
        (TABLE.replace("b,,4", "b,0.1,5"), ("b", "value, count", "0.1", "", "± 1e-09")),
        (TABLE.replace("b,,4,\n", ""), ("b", "(row)", "-", "row", "equal")),
        (f"{TABLE}c,1.0,1,\n", ("c", "(row)", "row", "missing", "equal")),
        (f"{TABLE}a,0.5,3,fine\n", ("a (number 2)", "(row)", "row", "missing", "equal")),
        (TABLE.replace("note", "notes"), ("(all rows)", "columns", f"{HEAD}s", HEAD, "equal")),
        ("name,value,count,note\nb,,4,\na,0.5,3,fine\n", ("(order of rows)", "(row)", "b", "a", "equal")),
        ("", ("(all rows)", "columns", "", HEAD, "equal")),
    ],
)
def test_what_moved_is_named(tmp_path: Path, committed: str, told):
    _, (moved,) = compared(tmp_path, committed)
    assert moved.where == "table.csv"
    assert (moved.name, moved.column, moved.recorded, moved.found, moved.allowed) == told


def test_a_broken_line_is_an_error_that_names_it(tmp_path: Path):
    with pytest.raises(BenchmarkError, match=r"row 3 of .*old/table.csv; got '2 fields'; expected 4"):
        compared(tmp_path, TABLE.replace("b,,4,", "b,"))
