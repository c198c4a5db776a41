"""What is left of processes that were killed as they wrote, and of two that write one name."""

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmark.files import atomic_path, write_text

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import sys, time
from pathlib import Path
from benchmark.files import atomic_path
target, words = Path(sys.argv[1]), sys.argv[2:]
for word in words:
    with atomic_path(target) as fresh:
        fresh.mkdir()
        (fresh / "a").write_text(word)
        (fresh / "b").write_text(word)
        if word == "wait":
            print("half", flush=True)
            time.sleep(60)
print("done", flush=True)
"""


def writer(target: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(target), *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ended(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    return out


def test_the_next_writer_removes_what_killed_ones_left_and_nothing_else(tmp_path: Path) -> None:
    settings = tmp_path / ".mine.settings"  # looks like it, but is somebody's
    settings.mkdir(mode=0o700)
    (settings / "kept").touch()
    for _ in range(2):
        with writer(tmp_path / "cell", "wait") as killed:
            assert killed.stdout is not None
            assert killed.stdout.readline() == "half\n"
            killed.send_signal(signal.SIGKILL)
    with writer(tmp_path / "other", "wait") as alive:
        assert alive.stdout is not None
        assert alive.stdout.readline() == "half\n"
        ended(writer(tmp_path / "cell", "new"))
        found = names(tmp_path)
        alive.kill()
    assert found[0].startswith(".mine.settings")
    assert [name for name in found if name.startswith(".cell")] == []
    assert len([name for name in found if name.startswith(".other.")]) == 1  # of the process that lives
    assert (tmp_path / "cell" / "a").read_text() == "new"
    ended(writer(tmp_path / "cell", "newer"))
    assert names(tmp_path) == [".mine.settings", "cell"]


def test_processes_that_write_one_folder_leave_one_of_their_contents_whole(tmp_path: Path) -> None:
    writers = [writer(tmp_path / "cell", *[f"{number}"] * 300) for number in range(3)]
    assert [ended(each) for each in writers] == ["done\n"] * 3
    assert names(tmp_path) == ["cell"]
    assert (tmp_path / "cell" / "a").read_text() == (tmp_path / "cell" / "b").read_text()


@pytest.mark.slow
def test_kill_9_at_fifty_moments_leaves_a_whole_folder_and_no_rubbish(tmp_path: Path) -> None:
    target = tmp_path / "cell"
    ended(writer(target, "old"))
    for number in range(50):
        with writer(target, *["new"] * 100_000) as process:
            while names(tmp_path) == ["cell"]:
                time.sleep(0.001)
            time.sleep(number * 0.002)
            os.kill(process.pid, signal.SIGKILL)
        # between two renames there is a moment without a folder, never one with half of it
        assert not target.exists() or (target / "a").read_text() == (target / "b").read_text()
    ended(writer(target, "last"))
    assert names(tmp_path) == ["cell"]
    assert (target / "b").read_text() == "last"


def test_a_folder_that_a_killed_writer_had_moved_aside_comes_back(tmp_path: Path) -> None:
    holder = tmp_path / ".result.abcdefgh"
    for name in ("old0", "old1", "result"):
        (holder / name).mkdir(parents=True)
        (holder / name / "text").write_text(name)
    holder.chmod(0o700)
    write_text(tmp_path / "other", "sweeps")
    assert (tmp_path / "result" / "text").read_text() == "old1"
    assert not holder.exists()


def test_a_rename_that_fails_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result"
    target.mkdir()
    (target / "text").write_text("old")
    rename = Path.replace

    def failing(path: Path, to: Path) -> Path:
        if path.name == "result" and to == target:
            raise OSError(errno.EIO, "broken disk")
        return rename(path, to)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="broken disk"), atomic_path(target) as fresh:
        fresh.mkdir()
    assert (target / "text").read_text() == "old"


def test_threads_that_write_into_one_new_folder_do_not_trip_over_each_other(tmp_path: Path) -> None:
    def write(number: int) -> None:
        write_text(tmp_path / f"{number % 40}" / f"{number}", "text")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(2000)))
