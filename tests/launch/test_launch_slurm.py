"""The engine of SLURM, whose jobs run here as processes of this machine: submitit's own executor for that."""

import pickle
import shutil

import pytest
import toy_suite as toy

pytest.importorskip("submitit", reason='needs submitit: pip install "shortcut-bench[slurm]"')

from benchmark.launch import on_slurm
from benchmark.launch.work import Outcome, Work

HERE = ("--engine", "slurm", "--address", "local", "--jobs", "2")


def test_an_array_of_jobs_trains_and_scores_and_one_that_fails_stops_no_other(project):
    (project / "toy/fails").write_text("c")
    told = toy.launch(project, *HERE, "--only", "*-[ac]", code=1)
    assert "failed toy-none-c: the loss is not finite; got nan. Use a smaller learning rate." in told
    assert toy.epochs_of(project, "a") == ["1 "] * 4
    assert "toy-none-a" not in toy.stale(project)


def test_a_stop_ends_the_jobs(project):
    (project / "toy/seconds").write_text("30")
    process = toy.start(project, *HERE, "--only", "*-a")
    toy.wait_for(lambda: (project / "runs/.work/toy/toy-none-a/epochs").is_file())
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143, told
    toy.wait_for(lambda: not toy.working_in(project), seconds=10)
    assert not (project / "runs/toy").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--address", "cluster:1"],
            "error: --address; got 'cluster:1'; expected local, or nothing, with engine slurm",
        ),
        (["--address", "local", "--option", "partition"], "error: --option; got 'partition'; expected key=value"),
        (
            ["--address", "local", "--option", "colour=red"],
            "error: --option; got 'colour=red'; expected Unknown argument",
        ),
        (
            ["--address", "local", "--option", "time=04:00:00"],
            "error: --option; got 'time=04:00:00'; expected minutes, as a whole number, such as time=240",
        ),
    ],
)
def test_a_bad_option_is_one_line(project, arguments, expected):
    told = toy.launch(project, "--engine", "slurm", *arguments, code=1)
    assert told.startswith(expected) and told.count("\n") == 1


@pytest.mark.skipif(bool(shutil.which("sbatch")), reason="there is a SLURM here")
def test_without_slurm_it_says_so(project):
    told = toy.launch(project, "--engine", "slurm", code=1)
    assert told.startswith("error: there is no sbatch on this machine")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Stands in for SLURM's programs: one job, whose state is in a file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    texts = {
        "sbatch": "cp $1 sent; echo Submitted batch job 12",
        "sacct": 'echo "JobID|State|NodeList"; echo "12|$(cat state)|node"',
        "scancel": "echo $* >> cancelled",
        "srun": "",
    }
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_job_that_stays_preempted_is_cancelled_and_lost(programs, monkeypatch):
    (programs / "state").write_text("PREEMPTED")
    engine = on_slurm.OnSlurm(None, 1, 3, 0)
    (handle,) = engine.submit([Work("w", ("true",), programs / "logs/w.log", 3)])
    assert "srun" in (programs / "sent").read_text() and "--cpus-per-task 3" in (programs / "sent").read_text()
    assert engine.poll(handle) is None
    assert not (programs / "cancelled").exists()
    monkeypatch.setattr(on_slurm, "STUCK_S", 0.0)
    outcome = engine.poll(handle)
    assert (outcome.lost, outcome.reason) == (True, "SLURM calls it PREEMPTED for 0 minutes")
    assert (programs / "cancelled").read_text() == "12\n"


def test_a_job_whose_command_slurm_ended_is_cancelled_and_lost(programs):
    (programs / "state").write_text("RUNNING")
    engine = on_slurm.OnSlurm(None, 1, 1, 0)
    (handle,) = engine.submit([Work("w", ("true",), programs / "logs/w.log")])
    assert engine.poll(handle) is None
    told = ("success", {"code": -15, "seconds": 1.0, "where": "node core 1"})
    handle.job.paths.result_pickle.write_bytes(pickle.dumps(told))
    assert engine.poll(handle) == Outcome(-15, 1.0, "node core 1", lost=True, reason="SLURM ended it by SIGTERM")
    assert (programs / "cancelled").read_text() == "12\n"
