import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.provenance import (
    CODE,
    PACKAGES,
    TRAINER,
    closure,
    code_hash,
    fingerprint,
    imports,
    meaning,
    package_versions,
)
from benchmark.registry import METHODS

ROOT = Path(__file__).resolve().parents[1]
BUILTIN = [name for name, entry in METHODS.table().items() if entry.origin == "built-in"]


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.fixture
def code(tmp_path: Path) -> Path:
    write(tmp_path, isnet__engine="import torch\n", isnet__unused="", benchmark__base="", benchmark__report="")
    write(tmp_path, baselines__one="from benchmark import base\n\ndef f():\n    from isnet import engine\n")
    (tmp_path / "isnet/__init__.py").write_text("")
    return tmp_path


def test_what_a_method_imports_at_any_depth_is_its_code_and_nothing_else_is(code: Path) -> None:
    found = closure(["baselines.one"], code)
    assert list(found) == ["baselines.one", "benchmark.base", "isnet", "isnet.engine"]
    assert found["isnet"] == code / "isnet/__init__.py"


def test_packages_around_an_imported_module_run_too() -> None:
    assert imports("import a.b.c", "") == {"a", "a.b", "a.b.c"}
    assert imports("from a.b import c", "") == {"a", "a.b", "a.b.c"}
    assert imports("from . import c\nfrom ..d import e", "a.b") >= {"a", "a.b", "a.b.c", "a.d", "a.d.e"}
    assert imports("import os\nif x:\n    import a", "") == {"os", "a"}


def test_comments_docstrings_and_blank_lines_mean_nothing_and_all_else_does() -> None:
    source = '"""Doc."""\nX = 1  # one\n"""What X is."""\n\n\n'
    source += 'def f(a):\n    """Doc\n    of f."""\n    return "# no comment"  \n'
    assert meaning(source) == 'X = 1\ndef f(a):\n    return "# no comment"'
    assert meaning(source.replace("one", "uno").replace("Doc", "Text")) == meaning(source)
    assert meaning(source.replace("# no comment", "# another")) != meaning(source)
    assert meaning("if a:\n    b\nc\n") != meaning("if a:\n    b\n    c\n")


def test_every_file_that_a_method_runs_lies_where_the_stage_looks() -> None:
    for name in BUILTIN:
        module = METHODS.table()[name].target.partition(":")[0]
        for file in closure([TRAINER, module]).values():
            within = file.relative_to(ROOT).as_posix()
            assert within.startswith(tuple(f"{part}/" for part in CODE)) or within in CODE, (name, within)


def test_the_relevance_engine_is_code_of_the_isnets_and_not_of_the_plain_classifier() -> None:
    plain, isnet = (closure([TRAINER, f"baselines.{name}"]) for name in ("erm", "isnet"))
    assert {"benchmark.training.fit", "benchmark.api.method"} <= set(plain)
    assert not any(name.startswith("isnet") for name in plain)
    assert {"isnet.lrp.engine", "isnet.lrp.kernels", "isnet.loss", "baselines.isnet_base"} <= set(isnet)
    assert code_hash("erm") != code_hash("isnet")


def test_a_method_of_another_package_counts_with_its_file_and_version(tmp_path: Path) -> None:
    def found(text: str, version: str) -> str:
        info = tmp_path / "toy.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("[shortcut_bench.methods]\ntoy = toy_module:Toy\n")
        (tmp_path / "toy_module.py").write_text(text)
        program = "from benchmark.provenance import code_hash; print(code_hash('toy'))"
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        ).stdout

    first = found("from baselines.erm import ERM\nclass Toy(ERM): pass\n", "1.0")
    assert found("from baselines.erm import ERM\nclass Toy(ERM): pass  # the same\n", "1.0") == first
    assert found("from baselines.erm import ERM\nclass Toy(ERM): x = 1\n", "1.0") != first
    assert found("from baselines.erm import ERM\nclass Toy(ERM): pass\n", "1.1") != first


def test_an_unknown_method_has_no_code() -> None:
    with pytest.raises(BenchmarkError, match="unknown method; got 'emr'"):
        code_hash("emr")


def test_a_fingerprint_depends_on_the_facts_and_not_on_their_order():
    assert fingerprint({"a": 1, "b": {"c": 2.5, "d": None}}) == fingerprint({"b": {"d": None, "c": 2.5}, "a": 1})
    assert fingerprint({"a": 1}) == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert len({fingerprint({"lr": value}) for value in (0.1, 0.2, "0.1", None)}) == 4


def test_a_fingerprint_refuses_nan():
    with pytest.raises(ValueError, match="JSON"):
        fingerprint({"lr": float("nan")})


def test_versions_are_the_installed_ones():
    assert package_versions() == {name: metadata.version(name) for name in PACKAGES}
    assert {"torch", "timm", "numpy"} <= set(PACKAGES)
