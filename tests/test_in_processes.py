"""Forked processes give what a loop gives, in order, whatever the work is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmark.errors import BenchmarkError
from benchmark.processes import in_processes

several = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: threads do the work")


def test_results_come_in_the_order_of_the_items() -> None:
    factor = 3
    assert in_processes(lambda n: n * factor, range(7)) == [0, 3, 6, 9, 12, 15, 18]


def test_nothing_to_do_gives_nothing() -> None:
    assert in_processes(lambda n: n, []) == []


@several
def test_work_is_done_in_other_processes() -> None:
    assert os.getpid() not in in_processes(lambda _: os.getpid(), range(4))


@several
def test_an_error_comes_through_whole() -> None:
    def fail(n: int) -> int:
        raise BenchmarkError("cell", got=n, expected="another", do="Nothing.")

    with pytest.raises(BenchmarkError, match=r"cell.*got: 0|cell.*0"):
        in_processes(fail, range(2))
    assert in_processes(lambda n: n, range(2)) == [0, 1]


@several
def test_a_killed_process_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="was killed"):
        in_processes(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(2))


@several
def test_processes_end_with_the_one_that_forked_them(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time\n"
        "from benchmark.processes import in_processes\n"
        "def wait(n):\n"
        "    pathlib.Path(sys.argv[1], str(os.getpid())).touch()\n"
        "    time.sleep(60)\n"
        "in_processes(wait, range(2))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    deadline = time.monotonic() + 30
    while len(found := [int(path.name) for path in tmp_path.iterdir()]) < 2:
        assert time.monotonic() < deadline and parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in found):
        assert time.monotonic() < deadline
        time.sleep(0.05)
