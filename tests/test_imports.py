"""Which way imports point. Each rule is tried on a made-up source that breaks it before it is asked of ours."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OF_THE_HARNESS = ("api", "backbone", "errors")
"""What a method may import of the harness."""
PACKAGES = ("isnet", "benchmark", "baselines", "pipelines")
HEAVY = ("torch", "timm", "captum")
LIGHT = ("report", "stats", "metrics", "claims", "submission", "stored", "cli", "summary")
LIGHT += ("predictions", "registry", "paths", "cell")


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported(source: str, package: str) -> set[str]:
    """Every module that the source imports, at any depth: `from a import b` is `a.b` where that is a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            full = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else base for name in full}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    return found


def forbidden(source: str, package: str) -> set[str]:
    """The imports of a source in ``package`` that point the wrong way."""
    names = {name for name in imported(source, package) if name.partition(".")[0] not in sys.stdlib_module_names}
    match package.partition(".")[0]:
        case "isnet":
            return {name for name in names if not within(name, ("isnet", "torch"))}
        case "benchmark":
            return {name for name in names if within(name, ("isnet", "baselines", "pipelines"))}
        case "baselines":
            allowed = ("baselines", "isnet", "torch", "pydantic", *(f"benchmark.{part}" for part in OF_THE_HARNESS))
            return {name for name in names if not within(name, allowed)}
        case "pipelines":
            return {name for name in names if within(name, ("isnet", "baselines"))}
    raise AssertionError(f"{package} is none of {PACKAGES}")


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


@pytest.mark.parametrize(
    ("package", "source", "wrong"),
    [
        ("isnet", "import numpy as np", {"numpy"}),
        ("isnet.lrp", "def f():\n    from benchmark.errors import BenchmarkError", {"benchmark.errors"}),
        ("isnet.lrp", "import math\nimport torch.nn\nfrom . import rules\nfrom ..loss import gwrp", set()),
        ("benchmark", "from baselines.erm import ERM", {"baselines.erm"}),
        ("benchmark.data", "import isnet.lrp as lrp", {"isnet.lrp"}),
        ("benchmark.data", "import importlib\nimportlib.import_module('pipelines.paths')", {"pipelines.paths"}),
        ("benchmark", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pipelines", {"pipelines"}),
        ("benchmark", "TABLE = {'erm': 'baselines.erm:ERM'}\nimport captum", set()),
        ("baselines", "from benchmark import registry", {"benchmark.registry"}),
        ("baselines", "from benchmark.training.fit import Fit", {"benchmark.training.fit"}),
        ("baselines", "import numpy as np\nfrom pydantic import Field", {"numpy"}),
        ("baselines", "from benchmark.api import Method\nfrom benchmark import api\nfrom . import erm", set()),
        ("pipelines", "from isnet import lrp", {"isnet.lrp"}),
        ("pipelines", "import baselines", {"baselines"}),
        ("pipelines", "from benchmark.registry import METHODS\nimport dvc.api", set()),
    ],
)
def test_the_rules_bite(package: str, source: str, wrong: set[str]) -> None:
    assert forbidden(source, package) == wrong


def test_every_package_has_modules() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in modules()} == set(PACKAGES)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_the_right_way(path: Path) -> None:
    assert forbidden(path.read_text(encoding="utf-8"), package_of(path)) == set()


PROBE = """
import importlib, sys
heavy = sys.argv[1].split(",")
for name in sys.argv[2:]:
    importlib.import_module(name)
    loaded = [each for each in heavy if each in sys.modules]
    if loaded:
        sys.exit(f"{name} imports {', '.join(loaded)}")
"""


def probe(folder: Path, heavy: tuple[str, ...], names: list[str]) -> str:
    """Imports the modules in a fresh process; what it says when a heavy one came along, else nothing."""
    command = [sys.executable, "-c", PROBE, ",".join(heavy), *names]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120).stderr.strip()


def light_modules() -> list[str]:
    names = []
    for part in LIGHT:
        folder = ROOT / "benchmark" / part
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        dotted = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
        names += [name.removesuffix(".__init__") for name in dotted]
    return names


def test_reading_results_imports_no_torch() -> None:
    assert probe(ROOT, HEAVY, light_modules()) == ""


def test_the_probe_sees_an_import_through_another_module(tmp_path: Path) -> None:
    (tmp_path / "table.py").write_text("import helper\n")
    (tmp_path / "helper.py").write_text("import engine\n")
    (tmp_path / "engine.py").write_text("")
    assert probe(tmp_path, ("engine",), ["table"]) == "table imports engine"
    assert probe(tmp_path, ("torch",), ["table"]) == ""
