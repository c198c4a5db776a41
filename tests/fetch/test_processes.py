"""Processes that are killed, that meet, and that run out of room; and the program itself."""

import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import CONTENT, Place, sha256, tree
from server import Server, stall

from benchmark.errors import BenchmarkError
from benchmark.fetch.trouble import full_disk_told

FETCH = """
import json, sys
from pathlib import Path
from benchmark.errors import BenchmarkError
from benchmark.fetch import Origin, Patience, download
root = Path(sys.argv[1])
folder = root / sys.argv[2]
folder.mkdir(exist_ok=True)
origin = Origin.model_validate_json(sys.stdin.read())
patience = Patience(attempts=2, stall=20, first_wait=0.01)
print("ready", flush=True)
try:
    places = {"cache": root / "downloads", "checksums": root / "checksums.json"}
    download(origin, folder, dataset="tiny", patience=patience, **places)
except BenchmarkError as error:
    sys.exit(str(error))
"""
ROOT = Path(__file__).resolve().parents[2]


def start(place: Place, folder: str = "raw", most: int | None = None) -> "subprocess.Popen[str]":
    """A process that fetches; ``most``: the bytes that a file of it may have."""

    def limit() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it, and so would its children
        if most:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", FETCH, str(place.root), folder]
    process = subprocess.Popen(command, cwd=ROOT, text=True, preexec_fn=limit, **pipes)
    process.stdin.write(place.origin.model_dump_json())
    process.stdin.close()
    process.stdin = None
    return process


def wait_for(path: Path, size: int) -> None:
    for _ in range(3000):
        if path.is_file() and path.stat().st_size >= size:
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} never had {size} bytes")


def test_a_process_that_is_killed_in_the_middle_is_taken_up(place: Place, server: Server) -> None:
    half = 1 << 17  # a multiple of the buffer's size, so that all of it is on the disk
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, stall(half)))
    process = start(place)
    wait_for(place.cache / "a.bin.part", half)
    process.kill()
    process.communicate()
    assert process.returncode == -9
    assert not (place.cache / "a.bin").exists() and not (place.folder / "a.bin").exists()
    for rest in place.folder.iterdir():  # DVC deletes the folder of a stage that was killed
        rest.rmdir()
    place.fetch()
    assert place.raw == {"a.bin": CONTENT} and place.kept == {"a.bin": CONTENT}
    assert server.asked("a.bin") == ["", f"bytes={half}-"]


def test_who_stops_a_fetch_need_not_wait_for_a_silent_server(place: Place, server: Server) -> None:
    half = 1 << 17
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, stall(half)))
    process = start(place)
    wait_for(place.cache / "a.bin.part", half)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)
    assert process.returncode != 0
    assert place.raw == {} and place.kept["a.bin.part"] == CONTENT[:half]


def test_two_processes_wait_for_each_other_and_download_once(place: Place, server: Server) -> None:
    def slowly(handler, route) -> None:
        time.sleep(0.5)
        handler.serve(route)

    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, slowly))
    both = [start(place, "raw"), start(place, "raw2")]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert tree(place.folder) == tree(place.root / "raw2") == {"a.bin": CONTENT}
    assert server.asked("a.bin") == [""]
    assert place.kept == {"a.bin": CONTENT}


def test_a_full_disk_is_told_and_what_came_is_continued(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT))
    most = 1 << 17
    process = start(place, most=most)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "no room on the disk for" in said and "Make room and run again" in said and "Traceback" not in said
    assert place.raw == {} and len(place.kept["a.bin.part"]) == most
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("a.bin") == ["", f"bytes={most}-"]


def test_a_disk_that_is_full_while_unpacking_is_told(place: Place, server: Server) -> None:
    packed = gzip.compress(bytes(1_000_000))
    place.file("a.gz", packed, server.put("a.gz", packed), unpack="gz")
    process = start(place, most=100_000)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and "no room on the disk for" in said
    assert place.raw == {} and place.kept == {"a.gz": packed}


def test_a_device_without_room_is_a_full_disk() -> None:
    full = Path("/dev/full")
    said = pytest.raises(BenchmarkError, match="no room on the disk for /dev/full; got 'No space left on device")
    with said, full_disk_told(full), full.open("wb", buffering=0) as stream:
        stream.write(b"x")


PLUGIN = """
from benchmark.data.downloaded import Downloaded

class MadeSet(Downloaded):
    def index(self, folder): raise NotImplementedError
    def pixels(self, folder, index, rows): raise NotImplementedError
"""


def install(folder: Path) -> None:
    """A package with a data set that is only fetched here."""
    info = folder / "made_set-1.dist-info"
    info.mkdir(parents=True)
    (folder / "made_set.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-set\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[shortcut_bench.datasets]\nmade_set = made_set:MadeSet\n")


@pytest.fixture
def project(tmp_path: Path, server: Server) -> Path:
    """A project with an open and a restricted data set."""
    install(tmp_path / "plugin")
    folder = tmp_path / "project/pipelines/configs/datasets"
    folder.mkdir(parents=True)
    facts = {"homepage": "https://h.example", "licence": "CC BY 4.0", "citation": "Somebody, 2020."}
    file = {"name": "a.bin", "urls": [server.put("a.bin", CONTENT)], "sha256": sha256(CONTENT), "size": len(CONTENT)}
    secret = {
        "access": "restricted",
        "register_at": "Register at https://h.example/register.",
        "files": [{"name": "s.bin"}],
    }
    for name, origin in (("tiny", {"files": [file]}), ("secret", secret)):
        settings = {"dataset": "made_set", "origin": {**facts, **origin}}
        (folder / f"{name}.yaml").write_text(json.dumps(settings))
    return tmp_path / "project"


def run(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pipelines.fetch", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{project.parent / 'plugin'}"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_program_fetches_plans_and_takes_a_mirror(project: Path, server: Server, tmp_path: Path) -> None:
    plan = run(project, "tiny", "--dry-run")
    assert plan.returncode == 0, plan.stderr
    for part in ("CC BY 4.0", "Somebody, 2020.", "300.0 kB", server.url("a.bin"), "to be downloaded"):
        assert part in plan.stdout
    assert not (project / "data").exists()

    (tmp_path / "a.bin").write_bytes(CONTENT)
    done = run(project, "tiny", "--mirror", str(tmp_path), "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert server.log == []
    assert tree(project / "data") == {"raw/tiny/a.bin": CONTENT, "downloads/tiny/a.bin": CONTENT}


def test_the_program_skips_a_data_set_that_needs_credentials(project: Path) -> None:
    skipped = run(project, "secret")
    assert skipped.returncode == 0, skipped.stderr
    assert "Register at https://h.example/register." in skipped.stdout
    assert [path.name for path in (project / "data/raw/secret").iterdir()] == ["skipped.json"]
    mark = json.loads((project / "data/raw/secret/skipped.json").read_text())
    assert mark["dataset"] == "secret" and mark["reason"] == "needs credentials"
    assert "data/downloads/secret/s.bin" in mark["do"]

    (project / "data/downloads/secret/s.bin").write_bytes(CONTENT)
    there = run(project, "secret")
    assert there.returncode == 0, there.stderr
    assert tree(project / "data/raw/secret") == {"s.bin": CONTENT}
    assert "s.bin" in json.loads((project / "pipelines/configs/checksums/secret.json").read_text())


def test_the_program_ends_in_one_line_and_keeps_the_raw_folder_of_before(project: Path, server: Server) -> None:
    (project / "data/raw/tiny").mkdir(parents=True)
    (project / "data/raw/tiny/old").write_text("of before")
    server.routes.clear()
    failed = run(project, "tiny")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: a.bin of data set tiny cannot be had") and failed.stderr.count("\n") == 1
    assert tree(project / "data/raw") == {"tiny/old": b"of before"}
