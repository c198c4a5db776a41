"""A stranger's file can only be verified, refused or unreadable: no other error, no other file, no long wait."""

import json
import os
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutated import RECORD, mutations
from submitted import signed, toy_suite

from benchmark.cli.main import main
from benchmark.errors import BenchmarkError
from benchmark.submission.check import Verified, verify
from benchmark.submission.protocol import MOST_BYTES, MOST_PARTS
from benchmark.submission.reading import LONGEST, Unreadable, read_object

TEXT = json.dumps(RECORD, indent=1)


def said(capsys, content):
    Path("r.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as end:
        main(["verify", "r.json"])
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and told.err.startswith("error: record r.json ")
    assert told.err.isprintable() or told.err[:-1].isprintable()
    return end.value.code, told.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "holds no object"),
        ('"record"', "holds no object"),
        ("null", "holds no object"),
        (TEXT[:-3], "is not JSON"),
        (TEXT + "x", "is not JSON"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "is not JSON"),
        ("\ufeff" + TEXT, "is not JSON"),
        (b"\x80\x04\x95pickle", "is not JSON"),
        (TEXT.replace('"classes": 3', '"classes": NaN'), "NaN is no number of JSON"),
        (TEXT.replace('"classes": 3', '"classes": -Infinity'), "-Infinity is no number of JSON"),
        (TEXT.replace('"classes": 3', '"classes": 1e999'), "is too large"),
        (TEXT.replace('"classes": 3', f'"classes": {"9" * 5000}'), "a whole number of 5000 digits"),
        (TEXT.replace('"classes": 3', f'"classes": 0.{"1" * 5000}'), "is too large"),
        (TEXT.replace('"classes": 3', '"classes": 3, "classes": 3'), "the key 'classes' is there twice"),
        ("[" * (MOST_PARTS - 1), "nests too deep"),
        ('{"a":' * (MOST_PARTS // 2), "nests too deep"),
        ('{"seeds": [' + "1," * 10**6 + "1]}", "has too many values"),
        ("[]," * MOST_PARTS, "has too many values"),
    ],
    ids=range(20),
)
def test_what_is_no_plain_json_object_is_unreadable(content, words, project, capsys):
    start = perf_counter()
    code, told = said(capsys, content)
    assert code == 2 and words in told
    assert len(told) < 3 * LONGEST
    assert perf_counter() - start < 5


def test_a_file_that_is_too_large_is_not_parsed(project, capsys):
    with Path("r.json").open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)  # sparse: it takes no room
    with pytest.raises(SystemExit) as end:
        main(["verify", "r.json"])
    assert end.value.code == 2
    assert f"is too large; expected at most {MOST_BYTES // 2**20} MiB" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_unreadable(kind, project):
    path = project / "r.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # reading it would wait for ever
    with pytest.raises(Unreadable, match="is missing"):
        read_object(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("note", "\ud800"),
        ("note", "x" * 2001),
        ("method", "mine\n"),
        ("method", "m" * 65),
        ("task", "toy-corner-erm"),
        ("suite", "/etc"),
        ("suite", "toy\x00"),
        ("data", "C" * 64),
        ("environment", {"\x1b[31m": "1"}),
        ("environment", {str(number): "1" for number in range(101)}),
        ("environment", {"numpy": 2}),
        ("classes", 10**15),
        ("images", {}),
        ("logits", {}),
        ("seeds", {"0": 0}),
        ("scores", None),
    ],
    ids=range(16),
)
def test_a_field_out_of_bounds_is_refused_in_one_printable_line(field, value, project, capsys):
    Path("r.json").write_text(json.dumps(signed(RECORD | {field: value})))
    assert main(["verify", "r.json"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: field {field}") and told[:-1].isprintable() and len(told) < 4 * LONGEST


@pytest.mark.parametrize("depth", [10, 500, 900, 980, 990, 1000, 2000])
@pytest.mark.parametrize("field", ["note", "schema_version", "gpu", "environment"])
def test_a_deep_value_is_refused_or_unreadable_at_any_depth(depth, field, project):
    text = json.dumps(RECORD | {field: "DEEP"}).replace('"DEEP"', '{"a":' * depth + "1" + "}" * depth)
    Path("r.json").write_text(text)
    with pytest.raises(BenchmarkError):
        verify(read_object(Path("r.json")))


def test_a_note_may_hold_any_language_and_any_sign(project):
    note = 'größer, 数字, "quoted" \\ \x07 \t\n \x7f 🎲'
    assert verify(signed(RECORD | {"note": note})).record.note == note


def test_verifying_writes_nothing(project, capsys):
    Path("r.json").write_text(TEXT)
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    assert main(["verify", "r.json"]) == 0
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


# --- any change whatever ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """The suite ``toy``, for many examples."""
    folder, home = tmp_path_factory.mktemp("fuzz"), Path.cwd()
    os.chdir(folder)
    toy_suite()
    yield folder
    os.chdir(home)


def outcome(text):
    """What comes of a file: verified, refused or unreadable; anything else is raised."""
    path = Path("fuzz.json")
    path.write_bytes(text)
    try:
        return type(verify(read_object(path)))
    except BenchmarkError as error:
        assert "\n" not in str(error) and str(error).isprintable()
        return type(error)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(record=mutations())
def test_a_changed_record_ends_in_a_stated_way(suite, record):
    found = outcome(json.dumps(record).encode("utf-8", "surrogatepass"))
    assert found in (Verified, BenchmarkError, Unreadable)
    if found is Verified:
        assert record["logits"] and {entry["float32"] for entry in record["logits"]} == {
            entry["float32"] for entry in RECORD["logits"]
        }


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.binary(max_size=3)), min_size=1, max_size=3))
def test_changed_bytes_end_in_a_stated_way(suite, changes):
    raw = bytearray(TEXT.encode())
    for place, new in changes:
        raw[place : place + 1] = new
    assert outcome(bytes(raw)) in (Verified, BenchmarkError, Unreadable)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_stated_way(suite, raw):
    assert outcome(raw) in (BenchmarkError, Unreadable)
