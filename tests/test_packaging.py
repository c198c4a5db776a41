"""The files around the code: the lock, the Makefile, the README's commands and the citation."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import benchmark

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {
    "bench-train",
    "check",
    "setup",
    "repro",
    "test",
    "lint",
    "type",
    "bench",
    "bench-stats",
    "coverage-stats",
    "fresh",
    "clean",
    "help",
}
ENTRY = re.compile(
    r"^(?P<pin>[a-z0-9][^\s;]*)(?: ; (?P<marker>[^\\\n]+?))?(?P<hashes>(?: \\\n {4}--hash=sha256:[0-9a-f]{64})*)$", re.M
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def lock(name: str) -> dict[str, list[str]]:
    """Pins of a lock file with their hashes; the test below checks that the pattern misses no line."""
    return {
        match["pin"]: re.findall(r"[0-9a-f]{64}", match["hashes"])
        for match in ENTRY.finditer(read(f"requirements/{name}.txt"))
    }


def versions(*names: str) -> dict[str, str]:
    return dict(pin.split("==") for name in names for pin in lock(name))


def project() -> dict:
    return tomllib.loads(read("pyproject.toml"))


def declared() -> list[str]:
    table = project()
    extras = table["project"]["optional-dependencies"]
    return [*table["project"]["dependencies"], *extras["dev"], *table["build-system"]["requires"]]


@pytest.mark.parametrize("name", ["build", "cpu", "lock", "cuda"])
def test_every_line_of_a_lock_is_an_exact_hashed_pin_or_a_comment(name: str) -> None:
    text = read(f"requirements/{name}.txt")
    rest = [line for line in ENTRY.sub("", text).splitlines() if line and not line.startswith("#")]
    assert rest == []
    assert lock(name)
    for pin, hashes in lock(name).items():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][^\s*]*", pin), pin
        assert hashes, pin


@pytest.mark.parametrize("text", declared())
def test_the_lock_pins_what_pyproject_declares(text: str) -> None:
    wanted = Requirement(text)
    assert wanted.specifier.contains(versions("lock")[canonicalize_name(wanted.name)])


def test_the_lock_is_closed_under_dependencies() -> None:
    """What a locked package needs on this machine is locked too, CUDA aside, in a version that fits."""
    pins = versions("lock", "cuda")
    known, broken = 0, []
    for name in versions("lock"):
        try:
            needs = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            continue
        known += 1
        for need in needs:
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                pin = pins.get(canonicalize_name(need.name))
                if pin is None or not need.specifier.contains(pin, prereleases=True):
                    broken.append(f"{name} needs {need}, locked is {pin}")
    assert broken == []
    assert known > len(pins) / 2


def test_back_ends_are_in_both_files_and_cuda_in_its_own() -> None:
    whole = lock("lock")
    assert all(whole[pin] == hashes for pin, hashes in lock("build").items())
    assert {"hatchling", "editables", "setuptools"} <= versions("build").keys()
    assert not versions("lock").keys() & versions("cuda").keys()
    assert not [name for name in versions("lock") if re.match(r"nvidia|cuda|triton", name)]
    assert f"{versions('lock')['torch']}+cpu" == versions("cpu")["torch"]


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "requirements").iterdir()), ROOT / "Makefile", ROOT / ".ci/run"],
    ids=lambda path: path.name,
)
def test_no_address_is_named(path: Path) -> None:
    if path.is_file():
        assert not re.search(
            r"://|(?<!no-emit-)index-url|find-links|\w\.(org|com|io|net)\b", path.read_text(encoding="utf-8")
        )


def rules() -> dict[str, list[str]]:
    """Makefile targets and their recipe lines."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in read("Makefile").splitlines():
        if match := re.match(r"([a-z./-]+):(?!=)", line):
            lines = found.setdefault(match[1], [])
        elif line.startswith("\t"):
            lines.append(line)
    return found


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make` as a user's shell starts it: an outer `make test` hands down its own flags and variables."""
    variables = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, env=variables)


def test_every_target_is_short_phony_and_explained() -> None:
    found = rules()
    assert found.keys() - {".venv/installed"} == TARGETS
    assert all(len(lines) <= 2 for lines in found.values())
    assert set(re.search(r"^\.PHONY: (.*)", read("Makefile"), re.M)[1].split()) == TARGETS
    shown = make(ROOT).stdout
    told = dict(re.findall(r"^make ([\w-]+) +(\S.*)$", shown, re.M))
    assert told.keys() == TARGETS


def test_the_readme_names_real_targets() -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```", read("README.md"), re.M | re.S)
    named = {target for block in blocks for target in re.findall(r"\bmake ([a-z-]+)", block)}
    assert {"repro", "test"} <= named
    assert named <= TARGETS


def test_repro_runs_the_environment_of_the_clone() -> None:
    """DVC calls `python` from PATH: it must be the clone's, whatever is active."""
    plan = make(ROOT, "-n", "-o", "setup", "repro")
    (line,) = plan.stdout.splitlines()
    doctor, repro = line.split(" && ")
    assert doctor.endswith("python -m pipelines.doctor")
    assert repro.endswith(" dvc repro")
    assert all(f'PATH="{ROOT}/.venv/bin:$PATH"' in each and "DVC_NO_ANALYTICS=1" in each for each in (doctor, repro))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what `make setup` reads, and an environment that is already there."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def setup(clone: Path, python: str) -> subprocess.CompletedProcess[str]:
    return make(clone, "setup", f"PYTHON={python}")


def test_setup_refuses_an_old_python_and_leaves_nothing(clone: Path) -> None:
    old = clone / "python3.9"
    old.write_text("""#!/bin/sh\ncase "$2" in *exit*) exit 1 ;; *) echo "3.9.18 at /usr/bin/python3.9" ;; esac\n""")
    old.chmod(0o755)
    run = setup(clone, str(old))
    assert run.returncode != 0
    said = run.stderr.splitlines()[0]
    assert "is Python 3.9.18 at /usr/bin/python3.9; expected 3.11 or newer" in said
    assert "make setup PYTHON=python3.12" in said
    assert not (clone / ".venv").exists()


def test_setup_names_a_python_that_is_not_there(clone: Path) -> None:
    run = setup(clone, "python3.99")
    assert run.returncode != 0
    assert "no Python under the name 'python3.99'; expected 3.11 or newer" in run.stderr.splitlines()[0]


def test_setup_does_nothing_twice_and_everything_after_an_interruption(clone: Path) -> None:
    mark = clone / ".venv" / "installed"
    mark.parent.mkdir()
    mark.write_text("the last step of an installation writes this")
    assert setup(clone, "no-python-is-called").returncode == 0
    mark.unlink()
    assert setup(clone, "no-python-is-called").returncode != 0
    mark.touch()
    later = mark.stat().st_mtime + 10
    os.utime(clone / "requirements" / "lock.txt", (later, later))
    assert setup(clone, "no-python-is-called").returncode != 0


def test_citation_has_the_version_of_the_package() -> None:
    citation = YAML(typ="safe").load(read("CITATION.cff"))
    assert citation["version"] == benchmark.__version__
    assert citation["license"] == project()["project"]["license"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] and citation["message"] and citation["authors"]


def relock():
    spec = importlib.util.spec_from_file_location("relock", ROOT / "requirements" / "relock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_relock_drops_other_systems_and_idle_markers() -> None:
    digest = "sha256:" + "a" * 64
    text = "\n".join(
        f"{pin} \\\n    --hash={digest}"
        for pin in (
            "numpy==2.4.6",
            "anyio==4.16.0 ; sys_platform != 'emscripten'",
            "pywin32==312 ; sys_platform == 'win32'",
            "tomli==2.2.1 ; python_full_version < '3.12'",
        )
    )
    assert relock().parse(text) == {
        "numpy==2.4.6": [digest],
        "anyio==4.16.0": [digest],
        'tomli==2.2.1 ; python_full_version < "3.12"': [digest],
    }


@pytest.mark.parametrize("name", ["build", "lock"])
def test_rendering_a_lock_again_changes_nothing(name: str) -> None:
    text = read(f"requirements/{name}.txt")
    module = relock()
    assert module.render(text.splitlines()[0].removeprefix("# "), module.parse(text)) == text
