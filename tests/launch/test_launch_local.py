"""`python -m benchmark launch` on this machine: what runs, what is recorded, and what a stop leaves."""

import csv
import os
import signal
import subprocess
import sys

import pytest
import toy_suite as toy

EPOCH = "1 "
"""One thread, and the GPU's slot: empty where there is none."""


def test_cells_run_side_by_side_and_one_that_fails_stops_no_other(project):
    (project / "toy/fails").write_text("c")
    told = toy.launch(project, "--jobs", "2", "--gpus", "0", code=1)
    assert "failed toy-none-c: the loss is not finite; got nan. Use a smaller learning rate." in told
    assert "3 cells done, 0 were fresh, 1 failed" in told
    for name in "abd":
        assert toy.epochs_of(project, name) == [EPOCH] * 4
    assert not (project / "runs/toy/toy-none-c").exists()
    status = toy.stale(project)
    assert "train@toy-none-c" in status
    assert not any(f"{step}@toy-none-{name}" in status for step in ("train", "score") for name in "abd")
    with (project / "runs/.work/launch/toy/times.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["stage"] for row in rows if row["code"] != "0"] == ["train@toy-none-c"]
    again = toy.launch(project, "--jobs", "2", "--only", "*-[abd]")
    assert "all 3 cells of suite toy are fresh: nothing to do" in again


def test_a_dry_run_lists_what_is_stale_and_runs_nothing(project):
    (project / "toy/images.txt").write_text("second")
    told = toy.launch(project, "--dry-run", "--only", "*-a")
    first, cell, count = told.splitlines()
    assert first == "first: pipelines/toy/dvc.yaml:inject"
    assert cell == "toy-none-a: train and score, after pipelines/toy/dvc.yaml:inject"
    assert count == "1 cells to do, 0 fresh"
    assert not (project / "runs/toy").exists()


def test_stages_before_the_cells_run_first_and_what_they_change_is_made_again(project):
    toy.launch(project, "--jobs", "2", "--only", "*-[ab]")
    (project / "toy/images.txt").write_text("second")
    told = toy.launch(project, "--jobs", "2", "--only", "*-[ab]")
    assert "first: 1 stages before the cells" in told
    assert "2 cells done, 0 were fresh, 0 failed" in told
    (project / "toy/inject.py").write_text((project / "toy/inject.py").read_text() + "raise SystemExit('no images')\n")
    (project / "toy/images.txt").write_text("third")
    told = toy.launch(project, "--only", "*-a", code=1)
    assert "failed toy-none-a: pipelines/toy/dvc.yaml:inject, which it needs, is stale" in told


@pytest.mark.parametrize("name", toy.STOP)
def test_a_stop_ends_every_process_takes_nothing_half_made_and_the_next_launch_goes_on(project, name):
    (project / "toy/seconds").write_text("0.6")
    process = toy.start(project, "--jobs", "2", "--gpus", "0", "--only", "*-[abc]")
    files = [project / f"runs/.work/toy/toy-none-{method}/epochs" for method in "ab"]
    toy.wait_for(lambda: all(file.is_file() and file.stat().st_size for file in files))
    process.send_signal(toy.STOP[name])
    told, _ = process.communicate(timeout=60)
    assert process.returncode == {"ctrl_c": 130, "sigterm": 143, "sigkill": -9}[name], told
    assert name == "sigkill" or "0 cells done, 0 were fresh, 0 failed, 3 left" in told
    toy.wait_for(lambda: not toy.working_in(project), seconds=10)
    assert not (project / "runs/toy").exists() and not (project / "results").exists()
    assert "train@toy-none-a" in toy.stale(project)
    before = {file: len(file.read_text().splitlines()) for file in files if file.exists()}
    assert before
    (project / "toy/seconds").write_text("0.1")
    toy.launch(project, "--jobs", "2", "--gpus", "0", "--only", "*-[abc]")
    for method in "abc":
        assert toy.epochs_of(project, method) == [EPOCH] * 4
        log = (project / f"runs/.work/launch/toy/logs/train-toy-none-{method}.log").read_text()
        assert [log.count(f"epoch {k}/4") for k in range(1, 5)] == [1] * 4
    with (project / "runs/.work/launch/toy/times.csv").open(newline="") as stream:
        trained = {row["stage"]: row["whole"] for row in csv.DictReader(stream) if row["step"] == "train"}
    assert trained == {"train@toy-none-a": "0", "train@toy-none-b": "0", "train@toy-none-c": "1"}


def test_a_stop_while_the_stages_before_the_cells_run_fails_no_cell(project):
    (project / "toy/inject.py").write_text((project / "toy/inject.py").read_text() + "import time; time.sleep(60)\n")
    (project / "toy/images.txt").write_text("second")
    process = toy.start(project, "--gpus", "0")
    log = project / "runs/.work/launch/toy/logs/first.log"
    toy.wait_for(lambda: log.is_file() and "inject" in log.read_text())
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert "0 cells done, 0 were fresh, 0 failed, 4 left" in told


def test_a_second_launch_is_refused_while_the_first_runs(project):
    (project / "toy/seconds").write_text("30")
    first = toy.start(project, "--gpus", "0", "--only", "*-a")
    toy.wait_for(lambda: (project / "runs/.work/toy/toy-none-a/epochs").is_file())
    told = toy.launch(project, code=1)
    assert told.startswith("error: another launch runs in this project; got 'suite toy, process ")
    assert str(first.pid) in told
    first.terminate()
    first.communicate(timeout=60)


def test_a_launch_is_refused_while_dvc_makes_one_of_its_cells(project):
    (project / "toy/seconds").write_text("30")
    command = [sys.executable, "-m", "dvc", "repro", "-q", "pipelines/toy/dvc.yaml:train@toy-none-a"]
    repro = subprocess.Popen(command, cwd=project, env=toy.ENVIRONMENT, start_new_session=True)
    toy.wait_for(lambda: (project / "runs/.work/toy/toy-none-a/epochs").is_file())
    told = toy.launch(project, "--only", "*-[ab]", code=1)
    assert told.startswith("error: a DVC command makes ") and f"got 'process {repro.pid}: " in told
    os.killpg(repro.pid, signal.SIGKILL)
    repro.wait()
    toy.wait_for(lambda: not toy.working_in(project), seconds=10)
    (project / "toy/seconds").write_text("0.1")
    assert "1 cells done, 0 were fresh, 0 failed" in toy.launch(project, "--only", "*-a")


def test_a_run_whose_settings_changed_meanwhile_is_refused_and_made_again(project):
    (project / "toy/seconds").write_text("0.6")
    process = toy.start(project, "--jobs", "2", "--gpus", "0", "--only", "*-[ab]")
    toy.wait_for(lambda: (project / "runs/.work/toy/toy-none-a/epochs").is_file())
    settings = project / "pipelines/configs/methods/a.yaml"
    settings.write_text(settings.read_text().replace("lr: 0.1", "lr: 0.2"))
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 1, told
    assert (
        "failed toy-none-a: not recorded: pipelines/configs/methods/a.yaml changed while it ran; launch again" in told
    )
    status = toy.stale(project)
    assert "train@toy-none-a" in status and "train@toy-none-b" not in status
    toy.launch(project, "--only", "*-[ab]")
    assert "toy-none-a" not in toy.stale(project)


def test_a_finished_training_that_was_not_recorded_is_not_trained_again(project):
    toy.launch(project, "--gpus", "0", "--only", "*-a")
    made = (project / "runs/toy/toy-none-a/seed-0/run.json").stat().st_mtime_ns
    lock = project / "pipelines/toy/dvc.lock"
    lock.write_text(lock.read_text().replace("train@", "forgotten@"))
    told = toy.launch(project, "--gpus", "0", "--only", "*-a")
    assert "toy-none-a: trained before, not again" in told
    assert (project / "runs/toy/toy-none-a/seed-0/run.json").stat().st_mtime_ns == made
    assert "toy-none-a" not in toy.stale(project)


def test_a_recorded_run_that_was_overwritten_is_trained_again(project):
    toy.launch(project, "--gpus", "0", "--only", "*-[ab]")
    lock = (project / "pipelines/toy/dvc.lock").read_text()
    (project / "runs/toy/toy-none-a/seed-0/epochs").write_text("damaged")
    told = toy.launch(project, "--gpus", "0", "--only", "*-[ab]")
    assert "trained before" not in told and "done train@toy-none-a" in told
    assert "1 cells done, 1 were fresh, 0 failed" in told
    assert toy.epochs_of(project, "a") == [EPOCH] * 4
    assert (project / "pipelines/toy/dvc.lock").read_text() == lock


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--gpus", "99"], "error: --gpus; got 99; expected at most "),
        (["--jobs", "0"], "error: --jobs; got 0; expected 1 or more"),
        (["--cpus", "9999"], "error: --cpus; got 9999; expected 1 to "),
        (["--only", "nothing"], "error: --only; got 'nothing'; expected a pattern that a cell of suite toy matches"),
        (["--address", "auto"], "error: --address says nothing to engine local; got 'auto'. Leave it out."),
    ],
)
def test_a_bad_option_is_one_line(project, arguments, expected):
    told = toy.launch(project, *arguments, code=1)
    assert told.startswith(expected) and told.count("\n") == 1
