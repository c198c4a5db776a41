"""Published CSV files: what is read, and what is refused with its place."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.csv_rows import read_csv
from benchmark.errors import BenchmarkError


def rows(folder, content: bytes, columns=("file", "label"), header: bool = True):
    (folder / "t.csv").write_bytes(content)
    return list(read_csv(folder, "t.csv", columns, header))


def test_other_columns_and_a_byte_order_mark_do_no_harm(tmp_path):
    found = rows(tmp_path, "\ufefffile,age,label\r\na.png,31,tb\r\n".encode())
    assert [(place, row["file"], row["label"]) for place, row in found] == [("line 2 of t.csv", "a.png", "tb")]


def test_a_place_is_the_line_on_which_a_row_ends(tmp_path):
    found = rows(tmp_path, b'file,label\n"a\nb",tb\nc,normal\n')
    assert [(place, row["file"]) for place, row in found] == [("line 3 of t.csv", "a\nb"), ("line 4 of t.csv", "c")]


def test_without_a_header_the_first_line_is_a_row(tmp_path):
    found = rows(tmp_path, b"a,tb\nb,normal\n", header=False)
    assert [dict(row) for _, row in found] == [{"file": "a", "label": "tb"}, {"file": "b", "label": "normal"}]


text = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), min_size=1)


@given(st.lists(st.tuples(text, text), min_size=1))
def test_whatever_is_written_is_read_again(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("csv")
    with (folder / "in.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "label"), *pairs])
    found = rows(folder, (folder / "in.csv").read_bytes())
    assert [(row["file"], row["label"]) for _, row in found] == pairs


@pytest.mark.parametrize(
    ("content", "header", "said"),
    [
        (b"file,kind\na,b\n", True, "t.csv lacks a column; got 'file, kind'; expected also 'label'"),
        (b"", True, "t.csv lacks a column"),
        (b"file,label\na\n", True, r"line 2 of t.csv; got \['a', None\]; expected 2 fields"),
        (b"a,b,c\n", False, "line 1 of t.csv.*expected 2 fields"),
        (b'file,label\n"a,b\n', True, "t.csv is no CSV"),
        (b"file,label\n\xff,b\n", True, "file t.csv.*expected text"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, header, said):
    with pytest.raises(BenchmarkError, match=said):
        rows(tmp_path, content, header=header)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BenchmarkError, match=r"t.csv is not among the data set's files"):
        list(read_csv(tmp_path, "t.csv", ("file",)))
