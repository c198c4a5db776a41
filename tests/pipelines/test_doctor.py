"""Bad input ends in one clear sentence before any work is done."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ENVIRONMENT, edit, run

PARAMS, METHODS = "params.yaml", "pipelines/configs/methods"


def test_a_sound_suite_says_what_will_run_and_how_long(clone: Path) -> None:
    output = run("python", "-m", "pipelines.doctor", cwd=clone)
    assert re.search(r"11 cells x 3 seeds = 33 trainings; about \d+ minutes on 2 CPU cores", output)


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "message"),
    [
        (PARAMS, r"method: .*", "method: [erm, isnt]", r"unknown method; got 'isnt'; expected did you mean 'isnet'"),
        (PARAMS, r"dataset: .*", "dataset: [mnist6k]", r"unknown dataset; got 'mnist6k'.*'mnist5k'"),
        (PARAMS, r"bias: .*", "bias: [korner]", r"unknown bias; got 'korner'.*'corner'"),
        (PARAMS, r"method: .*", "method: [erm, is-net]", r"name is not usable in a cell.*'is-net'"),
        (PARAMS, r"method: .*", "method: ['erm@2']", r"name is not usable in a cell.*'erm@2'"),
        (PARAMS, r"method: .*", "method: []", r"matrix\.method: .*the list is empty"),
        (PARAMS, r"seeds: .*", "seeds: []", r"seeds: .*at least 1 item"),
        (f"{METHODS}/isnet.yaml", r"heatmap_share", "heatmap_sahre", r"isnet\.yaml: heatmap_sahre.*\(got 0\.\d+\)"),
        (f"{METHODS}/erm.yaml", r"lr: [^}]*", "lr: -1", r"optimizer\.lr: .*greater than 0 \(got -1\)"),
        (f"{METHODS}/erm.yaml", r"version", "versoin", r"versoin: .*not permitted"),
        ("pipelines/configs/biases/corner.yaml", r"^size: .*", "size: big", r"size: .*\(got 'big'\)"),
    ],
)
def test_bad_settings_are_named(clone: Path, file: str, pattern: str, replacement: str, message: str) -> None:
    edit(clone / file, pattern, replacement)
    output = run("python", "-m", "pipelines.doctor", cwd=clone, code=1)
    assert output.startswith("error: ")
    assert re.search(message, output), output
    assert "Traceback" not in output


def test_an_environment_that_is_not_active_is_refused() -> None:
    elsewhere = {**ENVIRONMENT, "PATH": os.pathsep.join(["/usr/bin", "/bin"])}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.doctor"], cwd=root, env=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "the environment is not active" in done.stderr
    assert "source .venv/bin/activate" in done.stderr


def test_a_python_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.errors import BenchmarkError
    from pipelines import doctor

    monkeypatch.setattr(doctor, "OLDEST", (9, 9))
    with pytest.raises(BenchmarkError, match=r"this Python is too old; got '3\.\d+\.\d+'.*make setup"):
        doctor.check_environment()


@pytest.mark.parametrize("cell", ["mnist5k-corner", "mnist5k-corner-erm-0", "Mnist-corner-erm"])
def test_a_cell_that_is_none_is_refused(cell: str, clone: Path) -> None:
    assert run("python", "-m", "pipelines.train", cell, "--dry-run", cwd=clone, code=1).startswith("error: ")


def test_training_without_data_names_the_stage_to_run(clone: Path) -> None:
    output = run("python", "-m", "pipelines.train", "mnist5k-corner-erm", cwd=clone, code=1)
    assert output.startswith("error: ")
    assert "dvc repro" in output
