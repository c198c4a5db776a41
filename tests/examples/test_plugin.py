"""Packages of other people, installed for real beside the environment: the example, and what ``new-method`` writes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "plugin"


def run(*arguments: str, path: Path, cwd: Path = ROOT) -> str:
    """What a Python program prints with an additional folder of installed packages; it reaches no network."""
    variables = {**os.environ, "PYTHONPATH": str(path), "PIP_NO_INDEX": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(package: Path, target: Path) -> Path:
    options = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet", "--target", str(target))
    run("-m", "pip", "install", *options, str(package), path=target)
    return target


def listed(name: str, path: Path) -> dict[str, str]:
    rows = json.loads(run("-m", "benchmark", "list", "methods", "--json", path=path))["methods"]
    return next(row for row in rows if row["name"] == name)


def passed(package: Path, path: Path) -> int:
    """How many of a package's own tests pass, where none fails."""
    quiet = ("-q", "-c", os.devnull, "-p", "no:cacheprovider", "--rootdir", str(package))
    last = run("-m", "pytest", *quiet, str(package), path=path, cwd=package).splitlines()[-1]
    return int(last.split(" passed")[0].split()[-1])


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    return install(folder / "source", folder / "installed")


def test_the_example_is_listed_with_its_distribution(example: Path) -> None:
    row = listed("border_cutout", example)
    assert row["origin"] == "shortcut-bench-border-cutout 0.1.0"
    assert row["target"] == "border_cutout:BorderCutout"
    assert row["needs"] == "nothing"
    assert row["source"].startswith("DeVries and Taylor 2017")
    assert row["error"] == ""


def test_the_example_passes_its_own_tests(example: Path) -> None:
    assert passed(example.parent / "source", example) > 25


def test_the_example_can_be_added_to_the_suite_and_passes_the_check_before_training(
    example: Path, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "pipelines" / "configs", tmp_path / "pipelines" / "configs")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    told = run("-m", "benchmark", "add", "border_cutout", path=example, cwd=tmp_path)
    assert "pipelines/configs/methods/border_cutout.yaml: written" in told
    code = "from pipelines.doctor import check_suite; print(check_suite('default'))"
    before = run("-c", code, path=example)
    after = run("-c", code, path=example, cwd=tmp_path)
    assert int(after.split()[2]) == int(before.split()[2]) + 1


def test_a_new_package_installs_is_found_and_passes_its_tests_at_once(tmp_path: Path) -> None:
    package = tmp_path / "package"
    assert main(["new-method", "my_own_idea", "--out", str(package)]) == 0
    installed = install(package, tmp_path / "installed")
    row = listed("my_own_idea", installed)
    assert (row["origin"], row["target"]) == ("my-own-idea 0.1.0", "my_own_idea:MyOwnIdea")
    assert passed(package, installed) > 25
