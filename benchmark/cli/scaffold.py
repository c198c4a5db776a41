"""Start a package of your own with one method: it installs, passes its tests and can be added to a suite.

It writes pyproject.toml with the entry point, one module and one test file, into a folder that is empty or not there.
"""

from __future__ import annotations

import argparse
import keyword
import sys
from importlib.util import find_spec
from pathlib import Path
from string import Template

import benchmark
from benchmark.cell import check_name
from benchmark.errors import BenchmarkError
from benchmark.files import atomic_path, write_text
from benchmark.registry import METHODS

TEMPLATES = Path(__file__).parent / "template"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("name", help="of the method and of its module: lower case, digits, '_'")
    parser.add_argument("--out", type=Path, help="folder to write (default: ./NAME)")


def run(arguments: argparse.Namespace) -> None:
    """Writes the package."""
    name = check_name("method", arguments.name)
    if name in METHODS:
        raise BenchmarkError(
            f"method {name!r} is there already", got=METHODS.table()[name].origin, do="Choose another."
        )
    out = arguments.out or Path(name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchmarkError(f"{out} is there already", expected="a folder that is empty or not there", do="Use --out.")
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or is_module(name):
        raise BenchmarkError(f"a module cannot be named {name!r}", expected="a name that no module has")
    with atomic_path(out) as folder:
        for file, text in files(name).items():
            write_text(folder / file, text)
    print(*(out / file for file in files(name)), sep="\n")
    print(f"next: `pip install --editable {out}`, `pytest {out}`, `python -m benchmark add {name}`")


def is_module(name: str) -> bool:
    """Whether Python finds code under the name (a folder without any does not count)."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None


def files(name: str) -> dict[str, str]:
    """The package's files by name."""
    words = {
        "name": name,
        "dist": name.replace("_", "-"),
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "version": benchmark.__version__,
    }
    targets = {"pyproject.toml": "pyproject", f"{name}.py": "method", f"test_{name}.py": "test"}
    return {
        target: Template((TEMPLATES / f"{source}.txt").read_text(encoding="utf-8")).substitute(words)
        for target, source in targets.items()
    }
