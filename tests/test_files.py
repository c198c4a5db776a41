import hashlib
import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.files import atomic_path, read_json, sha256_file, write_json, write_text

ROOT = Path(__file__).resolve().parents[1]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class Broken(Exception):
    pass


def fail_while_writing(target, write):
    with pytest.raises(Broken), atomic_path(target) as fresh:
        write(fresh)
        raise Broken


def write_folder(path, text):
    path.mkdir()
    (path / "a.txt").write_text(text)


def test_a_file_appears_whole_in_a_folder_that_is_made(tmp_path):
    target = tmp_path / "a" / "b" / "scores.csv"
    with atomic_path(target) as fresh:
        fresh.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert names(target.parent) == ["scores.csv"]


def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path):
    target = tmp_path / "scores.csv"
    target.write_text("old")
    with atomic_path(target) as fresh:
        fresh.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(tmp_path) == ["scores.csv"]


def test_a_failing_block_leaves_the_old_file_and_no_temporary_name(tmp_path):
    target = tmp_path / "scores.csv"
    target.write_text("old")
    fail_while_writing(target, lambda fresh: fresh.write_text("ne"))
    assert target.read_text() == "old"
    assert names(tmp_path) == ["scores.csv"]


def test_a_failing_block_leaves_nothing_where_nothing_was(tmp_path):
    fail_while_writing(tmp_path / "scores.csv", lambda fresh: fresh.write_text("ne"))
    fail_while_writing(tmp_path / "folder", lambda fresh: write_folder(fresh, "ne"))
    assert names(tmp_path) == []


def test_a_folder_replaces_a_folder_as_a_whole(tmp_path):
    target = tmp_path / "seed-0"
    target.mkdir()
    (target / "of_the_old_run.txt").write_text("old")
    with atomic_path(target) as fresh:
        write_folder(fresh, "new")
        assert names(target) == ["of_the_old_run.txt"]
    assert names(target) == ["a.txt"]
    assert names(tmp_path) == ["seed-0"]


def test_a_failing_block_leaves_the_old_folder(tmp_path):
    target = tmp_path / "seed-0"
    write_folder(target, "old")
    fail_while_writing(target, lambda fresh: write_folder(fresh, "ne"))
    assert (target / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["seed-0"]


@pytest.mark.parametrize("old", ["file", "folder"])
def test_a_block_that_writes_nothing_changes_nothing(tmp_path, old):
    target = tmp_path / "target"
    write_folder(target, "old") if old == "folder" else target.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert (target / "a.txt" if old == "folder" else target).read_text() == "old"
    assert names(tmp_path) == ["target"]


KILLED = """
import sys, time
from pathlib import Path
from benchmark.files import atomic_path
target, kind = Path(sys.argv[1]), sys.argv[2]
with atomic_path(target) as fresh:
    if kind == "folder":
        fresh.mkdir()
    stream = (fresh / "a.txt" if kind == "folder" else fresh).open("w")
    stream.write("half of the new cont")
    stream.flush()
    print("half", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_kill_9_in_the_middle_leaves_the_old_content_whole(tmp_path, kind):
    target = tmp_path / "target"
    write_folder(target, "old") if kind == "folder" else target.write_text("old")
    command = [sys.executable, "-c", KILLED, str(target), kind]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
    inside = target / "a.txt" if kind == "folder" else target
    assert inside.read_text() == "old"
    with atomic_path(target) as fresh:  # what the killed process left is in nobody's way
        write_folder(fresh, "new") if kind == "folder" else fresh.write_text("new")
    assert inside.read_text() == "new"


def test_text_is_utf_8_with_unix_line_ends(tmp_path):
    write_text(tmp_path / "a.md", "ε ≥ 0\nend\n")
    assert (tmp_path / "a.md").read_bytes() == b"\xce\xb5 \xe2\x89\xa5 0\nend\n"


def test_json_is_sorted_and_reads_back(tmp_path):
    value = {"b": [1, 2.5, None], "a": {"y": "ε", "x": True}}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.index('"a"') < text.index('"x"') < text.index('"y"') < text.index('"b"')
    assert text.endswith("}\n")
    assert read_json(tmp_path / "a.json") == json.loads(text) == value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_json_refuses_what_is_no_number_and_keeps_the_old_file(tmp_path, value):
    write_json(tmp_path / "a.json", {"value": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"value": value})
    assert read_json(tmp_path / "a.json") == {"value": 1}
    assert names(tmp_path) == ["a.json"]


def test_the_hash_is_sha_256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    large = bytes(range(256)) * 8192
    (tmp_path / "large").write_bytes(large)
    assert sha256_file(tmp_path / "large") == hashlib.sha256(large).hexdigest()
