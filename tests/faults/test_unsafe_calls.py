"""No code of ours unpickles, evaluates text, asks a shell or trusts YAML: read off the syntax, not off a review."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for folder in ("benchmark", "baselines", "isnet", "pipelines") for path in (ROOT / folder).rglob("*.py")]

NEVER = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open", "joblib.load"),
    *("yaml.unsafe_load", "yaml.full_load", "extractall", "tempfile.mktemp"),
}
OURS = {"benchmark/testing/checks/randomness.py": {"pickle.loads"}}
"""What is unpickled there was pickled a line before, in memory."""


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def keywords(call: ast.Call) -> dict[str, object]:
    return {
        key.arg or "**": ast.literal_eval(key.value) for key in call.keywords if isinstance(key.value, ast.Constant)
    }


def faults(source: str) -> Iterator[str]:
    """Every call that may run what it reads."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name, given = name_of(call.func), keywords(call)
        if name in NEVER or name.rpartition(".")[2] == "extractall":
            yield name
        if given.get("shell"):
            yield f"{name} with a shell"
        if name == "torch.load" and given.get("weights_only") is not True:
            yield "torch.load of any object"
        if name.rpartition(".")[2] in ("load", "read_array") and given.get("allow_pickle"):
            yield f"{name} of objects"
        if name == "YAML" and given.get("typ", "rt") not in ("safe", "rt"):
            yield "YAML of any object"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("eval('1')", ["eval"]),
        ("os.system(x)", ["os.system"]),
        ("subprocess.run(x, shell=True)", ["subprocess.run with a shell"]),
        ("torch.load(x)", ["torch.load of any object"]),
        ("torch.load(x, weights_only=True)", []),
        ("np.load(x, allow_pickle=True)", ["np.load of objects"]),
        ("archive.extractall(x)", ["archive.extractall"]),
        ("YAML(typ='unsafe')", ["YAML of any object"]),
        ("model.eval()", []),
    ],
)
def test_the_search_finds_what_it_is_for(source: str, expected: list[str]) -> None:
    assert list(faults(source)) == expected


def test_no_file_calls_what_runs_what_it_reads() -> None:
    assert len(FILES) > 300
    found = {
        str(path.relative_to(ROOT)): set(faults(path.read_text(encoding="utf-8")))
        - OURS.get(str(path.relative_to(ROOT)), set())
        for path in FILES
    }
    assert {name: calls for name, calls in found.items() if calls} == {}
