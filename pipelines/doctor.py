"""Checks, before any work, that a suite can run here, and says how long it takes.

It finds a wrong Python, an environment that is not active, an unknown name and a bad setting in a second, instead of
after minutes of training.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmark import paths
from benchmark.config import load_bias, load_method, parse
from benchmark.data.named import load_dataset
from benchmark.errors import BenchmarkError
from benchmark.registry import BIASES, METHODS
from pipelines import program

OLDEST = (3, 11)
NEEDED = ("torch", "timm", "lightning_fabric", "captum", "h5py", "mlxtend", "dvc")
MINUTES = {
    "default": "about 15 minutes on 2 CPU cores",
    "dose": "about 18 minutes on 2 CPU cores",
    "methods": "about half an hour on 2 CPU cores",
    "minority": "about 8 minutes on 2 CPU cores",
    "architectures": "about 15 minutes on 2 CPU cores",
    "hacking": "about half an hour on 2 CPU cores",
}


def check_environment() -> None:
    """The Python of this process, its packages, and the ``python`` that DVC would call.

    Raises:
        BenchmarkError: Naming what is wrong and the command that mends it.
    """
    if sys.version_info < OLDEST:
        raise BenchmarkError(
            "this Python is too old", got=sys.version.split()[0], expected="3.11 or newer", do="Run `make setup`."
        )
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise BenchmarkError(f"packages are missing: {', '.join(missing)}", got=sys.executable, do="Run `make setup`.")
    called = shutil.which("python")
    if called is None or Path(called).resolve() != Path(sys.executable).resolve() or not same_prefix(called):
        raise BenchmarkError(
            "the environment is not active: DVC would run another `python` than this one",
            got=called,
            expected=sys.executable,
            do="Use `make repro`, or run `source .venv/bin/activate` first.",
        )


def same_prefix(python: str) -> bool:
    """Whether a ``python`` lies in this process's environment (both may be links to one interpreter)."""
    return Path(python).parent.resolve() == Path(sys.prefix, "bin").resolve()


def check_suite(name: str) -> str:
    """Every name and setting of a suite; returns one line that says what will run.

    Raises:
        BenchmarkError: For the first that is wrong.
    """
    files = paths.SuitePaths(name)
    suite = files.suite()
    for dataset in suite.matrix.dataset:
        load_dataset(dataset)
    for bias in suite.matrix.bias:
        if not paths.bias_yaml(bias).is_file():
            BIASES.entry(bias)  # a wrong name has close ones to offer; a missing file has not
        load_bias(paths.bias_yaml(bias))
    for method in suite.matrix.method:
        path = files.method_yaml(method)
        settings = load_method(path)
        parse(METHODS.get(settings.method).Settings, settings.options, f"options in {path}")
    cells = suite.cells()
    runs = len(cells) * len(suite.seeds)
    return f"suite {name}: {len(cells)} cells x {len(suite.seeds)} seeds = {runs} trainings"


def doctor(arguments: argparse.Namespace) -> None:
    check_environment()
    line = check_suite(arguments.suite)
    cores = len(os.sched_getaffinity(0))
    print(f"{line}; {MINUTES.get(arguments.suite, 'time unknown')}; {cores} cores here. Finished stages are skipped.")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(doctor, parser)
