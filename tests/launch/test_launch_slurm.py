"""The engine of SLURM, whose jobs run here as processes of this machine: submitit's own executor for that."""

import shutil

import pytest
import toy_suite as toy

pytest.importorskip("submitit", reason='needs submitit: pip install "shortcut-bench[slurm]"')

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
    ],
)
def test_a_bad_option_is_one_line(project, arguments, expected):
    told = toy.launch(project, "--engine", "slurm", *arguments, code=1)
    assert told.startswith(expected) and told.count("\n") == 1


@pytest.mark.skipif(bool(shutil.which("sbatch")), reason="there is a SLURM here")
def test_without_slurm_it_says_so(project):
    told = toy.launch(project, "--engine", "slurm", code=1)
    assert told.startswith("error: there is no sbatch on this machine")
