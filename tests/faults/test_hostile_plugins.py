"""Other packages' names: a path, an escape, a novel, a module that ends the program. Listed with an error, no harm."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
GROUP = "shortcut_bench.methods"
NAMES = ("../../evil", "/etc/passwd", "a\nb", "\x1b[2J\x1b[31mred", "x; rm -rf ~", "$(id)", "a b", "é", "", "a-b", "A")


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_listed_with_its_error_and_raises_only_when_asked_for(name: str) -> None:
    point = EntryPoint(name, "baselines.erm:ERM\x1b[2J", GROUP)
    registry = Registry("method", {"erm": "baselines.erm:ERM"}, GROUP, (point,))
    assert registry.get("erm").__name__ == "ERM"
    assert set(registry.working()) == {"erm"}
    with pytest.raises(BenchmarkError, match="method name is not usable in a cell") as caught:
        registry.get(name)
    assert "\x1b" not in str(caught.value)


def test_a_name_of_a_million_letters_makes_a_short_error() -> None:
    point = EntryPoint("é" * 10**6, "a:b", GROUP)
    registry = Registry("method", {"erm": "baselines.erm:ERM"}, GROUP, (point,))
    with pytest.raises(BenchmarkError) as caught:
        registry.get(point.name)
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "raise ImportError", "1/0", "import nothing_there", "x ="])
def test_a_module_that_does_not_import_ends_no_program(tmp_path: Path, code: str) -> None:
    info = tmp_path / "toy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ntoy = toy_module:Toy\n")
    (tmp_path / "toy_module.py").write_text(code + "\n")
    program = (
        f"from benchmark.registry import Registry\nMETHODS = Registry('method', {{}}, '{GROUP}')\n"
        "assert 'toy' in METHODS and 'toy' not in METHODS.working()\n"
        "try:\n    METHODS.get('toy')\nexcept ValueError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SHORTCUT_BENCH_NO_PLUGINS": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("method 'toy' (toy 1) cannot be imported from 'toy_module:Toy'; got")
