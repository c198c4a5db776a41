import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from jobs import make_job

from benchmark.errors import BenchmarkError
from benchmark.training.pool import train_seeds, worker_count
from benchmark.training.progress import Display, clock


@pytest.mark.parametrize(
    ("jobs", "cores", "workers"), [(1, 2, 1), (2, 2, 2), (3, 2, 3), (4, 2, 2), (5, 4, 5), (9, 4, 4), (3, 8, 3)]
)
def test_as_many_trainings_as_fill_the_cores(jobs: int, cores: int, workers: int) -> None:
    assert worker_count(jobs, cores) == workers


def test_seeds_side_by_side_give_the_bytes_of_one_after_the_other(
    pack: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    together = [make_job(pack, tmp_path / "two" / f"seed-{s}", seed=s, epochs=2) for s in (0, 1)]
    alone = [make_job(pack, tmp_path / "one" / f"seed-{s}", seed=s, epochs=2) for s in (0, 1)]
    train_seeds(together, Display("cell", [0, 1], 2), workers=2)
    train_seeds(alone, Display("cell", [0, 1], 2), workers=1)
    for first, second in zip(together, alone, strict=True):
        for file in first.folder.iterdir():
            assert file.read_bytes() == (second.folder / file.name).read_bytes(), file.name
    lines = [line for line in capfd.readouterr().out.splitlines() if "seed 1 epoch 2/2" in line]
    assert len(lines) == 2
    assert all("loss" in line and "0:00 left" in line for line in lines)


def test_the_error_of_a_worker_arrives_as_it_was(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"unknown backbone.*'nonet'"):
        train_seeds([make_job(pack, tmp_path / "seed-0", backbone="nonet")], Display("cell", [0], 3))


SCRIPT = """
    import sys
    from pathlib import Path
    sys.path[:0] = {folders!r}
    from jobs import make_job
    from benchmark.training.pool import train_seeds
    from benchmark.training.progress import Display

    if __name__ == "__main__":
        out = Path({out!r})
        jobs = [make_job(Path({pack!r}), out / f"seed-{{s}}", "isnet_path", s, epochs={epochs}) for s in (0, 1)]
        train_seeds(jobs, Display("cell", [0, 1], {epochs}), workers=2)
"""


def children_of(pid: int) -> set[int]:
    """All descendants of a process, from /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found: set[int] = set()
    grown = {pid}
    while grown:
        grown = {child for child, parent in parents.items() if parent in grown} - found
        found |= grown
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_kill_no_worker_lives_on_and_the_next_run_ends_in_the_same_bytes(
    pack: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    epochs, out = 4, tmp_path / "killed"
    script = tmp_path / "train.py"
    folders = [str(folder) for folder in (Path(__file__).parent, Path(__file__).parents[1])]
    values = {"folders": folders, "pack": str(pack), "out": str(out), "epochs": epochs}
    script.write_text(textwrap.dedent(SCRIPT.format(**values)))
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("*.checkpoint")) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children_of(process.pid)
    os.kill(process.pid, kind)
    assert process.wait() == -kind
    assert len(workers) >= 2
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
    subprocess.run([sys.executable, script], check=True, stdout=subprocess.DEVNULL)
    whole = [make_job(pack, tmp_path / "whole" / f"seed-{s}", "isnet_path", s, epochs=epochs) for s in (0, 1)]
    train_seeds(whole, Display("cell", [0, 1], epochs), workers=2)
    for job in whole:
        for file in job.folder.iterdir():
            assert file.read_bytes() == (out / job.folder.name / file.name).read_bytes(), file.name


def test_clock() -> None:
    assert [clock(s) for s in (0, 64.6, 3600, 7325)] == ["0:00", "1:05", "1:00:00", "2:02:05"]
