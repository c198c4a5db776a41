"""The parts of a launch that need no suite: slots, GPUs, logs, cores, the table."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.launch import child
from benchmark.launch.cores import taken
from benchmark.launch.gpus import visible_gpus
from benchmark.launch.local import Local, make_slots
from benchmark.launch.remote import leave_marker, sees
from benchmark.launch.screen import Row, Screen, State, table
from benchmark.launch.watch import Watch, left_of_all
from benchmark.launch.work import Work


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0,1,3", ["0", "1", "3"]),
        ("", []),
        ("2,-1,3", ["2"]),
        ("NoDevFiles", []),
        ("1,none,2", ["1"]),
        ("GPU-ab, GPU-cd", ["GPU-ab", "GPU-cd"]),
        ("MIG-ab,,MIG-cd", ["MIG-ab"]),
    ],
)
def test_gpus_are_those_that_cuda_would_see(value, expected):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": value}) == expected


def test_slots_share_cores_and_gpus_in_turn():
    slots = make_slots(3, 2, ["5", "7"], cores=[0, 1, 2, 3])
    assert [(slot.cores, slot.gpu) for slot in slots] == [((0, 1), "5"), ((2, 3), "7"), ((0, 1), "5")]


def test_a_command_sees_the_gpu_of_its_slot_and_no_other_and_its_cores(tmp_path):
    core = min(os.sched_getaffinity(0))
    told = "os.environ['CUDA_VISIBLE_DEVICES'], sorted(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS']"
    code = f"import os; print({told})"
    engine = Local(make_slots(2, 1, ["3", "4"], cores=[core]))
    works = [Work(f"w{k}", ("python", "-c", code), tmp_path / f"{k}.log") for k in range(2)]
    handles = engine.submit(works)
    codes = [ended(engine, handle).code for handle in handles]
    assert codes == [0, 0]
    assert [work.log.read_text().strip() for work in works] == [f"3 [{core}] 1", f"4 [{core}] 1"]


def ended(engine, handle):
    while (outcome := engine.poll(handle)) is None:
        time.sleep(0.02)
    return outcome


def test_what_a_command_left_behind_ends_with_it(tmp_path):
    code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid, flush=True)"
    work = Work("w", ("python", "-c", code), tmp_path / "log")
    engine = Local(make_slots(1, 1, []))
    (handle,) = engine.submit([work])
    assert ended(engine, handle).code == 0
    assert not alive(int(work.log.read_text()))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_that_is_deaf_to_sigterm_is_killed(tmp_path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)"
    process = child.start(Work("w", ("python", "-c", code), tmp_path / "log"))
    while "deaf" not in (tmp_path / "log").read_text():
        time.sleep(0.02)
    child.end([process], grace_s=0.3)
    assert process.returncode == -signal.SIGKILL


def test_the_reason_of_a_failure_is_the_error_that_was_told(tmp_path):
    log = tmp_path / "log"
    log.write_text("error: of an earlier run\n")
    watch = Watch(log, [3, 4])
    with log.open("a") as stream:
        stream.write("12:00:00 c seed 3 epoch 1/6  loss\n12:00:01 c seed 4 epoch 2/6  loss\n")
    assert watch.look()
    assert watch.progress == "3/12"
    # Two epochs of the three were done in these 10 s (seed 4 was resumed at epoch 1), nine are left.
    assert watch.left(10.0) == pytest.approx(10 * 9 / 2)
    assert watch.reason(-9) == "killed by SIGKILL (out of memory?)"
    assert watch.reason(1) == "12:00:01 c seed 4 epoch 2/6  loss"
    with log.open("a") as stream:
        stream.write("error: no space left. Delete something.\nbye\n")
    assert watch.reason(1) == "no space left. Delete something."


@pytest.mark.parametrize(
    ("cells", "slots", "seconds"),
    [
        ([10.0, 10.0, 10.0, 10.0], 2, 20.0),
        ([100.0, 10.0], 2, 100.0),
        ([10.0, 10.0], 32, 10.0),
        ([30.0, None, None], 3, 30.0),
        ([30.0], 0, 30.0),
        ([None], 1, None),
        ([], 4, None),
    ],
)
def test_the_time_left_is_that_of_the_longest_cell_or_of_all_shared_out(cells, slots, seconds):
    assert left_of_all(cells, slots) == seconds


def test_a_core_that_another_process_took_is_not_taken_again(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {4, 5, 6})
    with taken(1) as first, taken(1) as second:
        assert (first, second) == ((4,), (5,))
        with taken(2) as third:
            assert third == (4, 6)  # one is free, another is shared
    with taken(2) as again:
        assert again == (4, 5)


def test_a_machine_with_another_folder_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    marker = leave_marker(Path("runs"))
    assert sees(str(tmp_path), marker) == ""
    assert "sees another folder" in sees(str(tmp_path), marker[:-1])
    assert "does not see" in sees(str(tmp_path / "there"), marker)


def test_the_table_shows_time_left_and_reasons():
    stream = io.StringIO()
    rows = [
        Row("tb-natural-erm", "train", "node gpu 1", "7/18", 65.0, 3600.0),
        Row("a-b-c", "score", "", "", 1.0, None),
    ]
    state = State(rows, {"d-e-f": "killed by [SIGKILL]"}, done=3, waiting=4, left=7200.0)
    Console(file=stream, width=120).print(table(state))
    told = stream.getvalue()
    for words in ("tb-natural-erm", "7/18", "1:05", "1:00:00", "waits for a machine", "killed by [SIGKILL]"):
        assert words in told
    assert "3 done, 2 running, 4 waiting, 1 failed; about 2:00:00 left" in told


def test_a_terminal_gets_the_table_and_a_file_lines(monkeypatch):
    monkeypatch.setattr("benchmark.launch.screen.REFRESH_S", 0.0)
    state = State([Row("a-b-c", "train", "core 0", "1/2", 1.0, 1.0)], {}, 0, 0, 1.0)
    for terminal in (True, False):
        stream = io.StringIO()
        with Screen(Console(file=stream, force_terminal=terminal, width=100, highlight=False)) as screen:
            screen.show(state)
            screen.say("done a [b]")
        assert ("epochs" in stream.getvalue()) == terminal
        assert "done a [b]" in stream.getvalue()


def test_the_leash_refuses_a_parent_that_has_gone():
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.launch.leash", "1", "-", "true"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "error: the process that started this one has ended\n")
