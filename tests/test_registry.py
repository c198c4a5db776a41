import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchmark.api import Bias, Dataset, Method, Metric
from benchmark.errors import BenchmarkError
from benchmark.registry import BIASES, DATASETS, EXPLAINERS, METHODS, METRICS, NO_PLUGINS, Registry

ROOT = Path(__file__).resolve().parents[1]
GROUP = "shortcut_bench.methods"
KINDS = [(METHODS, Method), (DATASETS, Dataset), (BIASES, Bias), (METRICS, Metric), (EXPLAINERS, None)]
ENTRIES = [(registry, kind, name) for registry, kind in KINDS for name in registry]


def point(name, value="benchmark.api:Method"):
    return EntryPoint(name, value, GROUP)


def registry_of(*points, **builtin):
    return Registry("method", builtin or {"erm": "baselines.erm:ERM"}, GROUP, points)


def python(code, *paths, **env):
    """What the code prints in a fresh process that has the folders on its path."""
    full = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), **env}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=full, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture
def installed(tmp_path):
    """A folder that holds an installed package with one good method and one whose module is missing."""
    info = tmp_path / "toy_plugin-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-plugin\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ntoy = toy_plugin:Toy\nlost = toy_plugin.nowhere:Lost\n")
    (tmp_path / "toy_plugin.py").write_text("print('imported')\nfrom baselines.erm import ERM\nclass Toy(ERM): pass\n")
    return tmp_path


@pytest.mark.parametrize(("registry", "kind", "name"), ENTRIES, ids=[f"{r.kind} {n}" for r, _, n in ENTRIES])
def test_every_registered_name_imports_and_fits_its_contract(registry, kind, name):
    found = registry.get(name)
    if kind is Metric:
        assert isinstance(found, Metric)
        assert found.name == name
    elif kind is not None:
        assert issubclass(found, kind)
    assert callable(found) or kind is Metric


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from benchmark.registry import METHODS, DATASETS, BIASES, METRICS, EXPLAINERS\n"
        "names = [n for r in (METHODS, DATASETS, BIASES, METRICS, EXPLAINERS) for n in r if r.table()[n].target]\n"
        "heavy = {'torch', 'timm', 'captum', 'h5py', 'mlxtend', 'baselines', 'isnet'} & set(sys.modules)\n"
        "print(*names, '|', *heavy)"
    )
    names, heavy = python(code, **{NO_PLUGINS: "1"}).split("|")
    assert {"erm", "isnet", "isnet_path", "mnist5k", "corner", "accuracy", "integrated_gradients"} <= set(names.split())
    assert heavy == ""


def test_listing_is_sorted_and_tells_what_is_in():
    registry = registry_of(point("aaa"), zzz="m:Z", bbb="m:B")
    assert list(registry) == ["aaa", "bbb", "zzz"]
    assert "zzz" in registry
    assert "erm" not in registry


def test_an_installed_package_brings_a_method_that_is_imported_on_demand(installed):
    code = (
        "from benchmark.registry import METHODS\n"
        "entry = METHODS.table()['toy']; print(entry.target, entry.origin, sep='|')\n"
        "print(METHODS.get('toy').__name__)"
    )
    assert python(code, installed).split("\n") == ["toy_plugin:Toy|toy-plugin 2.1", "imported", "Toy"]


def test_a_broken_plugin_is_listed_and_raises_only_when_asked_for(installed):
    code = (
        "from benchmark.registry import METHODS\nfrom benchmark.errors import BenchmarkError\n"
        "print(*METHODS)\nprint(METHODS.get('toy').__name__)\n"
        "try: METHODS.get('lost')\nexcept BenchmarkError as error: print(error)"
    )
    listed, _, good, told = python(code, installed).split("\n")
    assert {"erm", "toy", "lost"} <= set(listed.split())
    assert good == "Toy"
    assert told.startswith("method 'lost' (toy-plugin 2.1) cannot be imported from 'toy_plugin.nowhere:Lost'; got")
    assert "ModuleNotFoundError" in told


def test_plugins_can_be_left_out(installed):
    code = "from benchmark.registry import METHODS; print(*METHODS)"
    listed = set(python(code, installed, **{NO_PLUGINS: "1"}).split())
    assert "erm" in listed
    assert not {"toy", "lost"} & listed
    assert "gain" in python(code, installed, **{NO_PLUGINS: "0"}).split()


def test_a_name_of_ours_in_a_package_is_listed_and_raises_with_both_origins_when_asked_for():
    registry = registry_of(point("erm", "other:ERM"), gain="baselines.gain:GAIN", erm="baselines.erm:ERM")
    assert list(registry) == ["erm", "gain"]
    assert registry.get("gain").__name__ == "GAIN"
    told = r"method 'erm' is registered twice; got '.*baselines\.erm:ERM \(built-in\) and other:ERM \(entry point\)"
    assert re.search(told, str(registry.table()["erm"].error))
    with pytest.raises(BenchmarkError, match=f"{told}.*{NO_PLUGINS}=1"):
        registry.get("erm")


def test_a_name_in_two_packages_raises_with_both_origins_and_stops_nobody_else():
    registry = registry_of(point("gain", "one:Toy"), point("gain", "two:Toy"), point("other", "baselines.gain:GAIN"))
    with pytest.raises(BenchmarkError, match=r"'gain' is registered twice; got 'one:Toy .* and two:Toy "):
        registry.get("gain")
    assert registry.get("erm").__name__ == "ERM"
    assert registry.get("other").__name__ == "GAIN"


def test_one_distribution_found_twice_on_the_path_is_one():
    assert registry_of(point("toy", "one:Toy"), point("toy", "one:Toy")).table()["toy"].error is None


@pytest.mark.parametrize("name", ["my-method", "My", "a@b"])
def test_a_plugin_whose_name_breaks_a_cell_is_listed_and_raises_when_asked_for(name):
    registry = registry_of(point(name))
    assert list(registry) == sorted(["erm", name])
    assert registry.get("erm").__name__ == "ERM"
    told = f"method name is not usable in a cell, of benchmark.api:Method .entry point.; got '{re.escape(name)}'"
    with pytest.raises(BenchmarkError, match=told):
        registry.get(name)


@pytest.mark.parametrize(
    ("contract", "target", "expected"),
    [
        (Method, "benchmark.biases.corner:Corner", "a subclass of benchmark.api.method.Method"),
        (Method, "benchmark.api:VARIANTS", "a subclass of benchmark.api.method.Method"),
        (Method, "benchmark.api:Method", "leaves nothing abstract"),
        (Metric, "benchmark.api:Metric", "an instance of benchmark.api.score.Metric"),
        (Metric, "benchmark.metrics.generalization:ACCURACY", "with the name under which it is registered"),
        (None, "benchmark.api:VARIANTS", "a function"),
    ],
)
def test_what_does_not_fit_its_contract_is_named_with_the_contract(contract, target, expected):
    registry = Registry("thing", {}, GROUP, (point("toy", target),), contract)
    told = rf"thing 'toy' does not fit the contract: {re.escape(target)} \(entry point\); got .*{re.escape(expected)}"
    with pytest.raises(BenchmarkError, match=told):
        registry.get("toy")


def test_who_asks_for_all_is_not_stopped_by_a_broken_plugin():
    registry = registry_of(point("lost", "no_such_module:X"), point("a-b"), point("gain", "baselines.gain:GAIN"))
    assert {name: found.__name__ for name, found in registry.working().items()} == {"erm": "ERM", "gain": "GAIN"}


@pytest.mark.parametrize("plugins", [(), (point("erm", "other:ERM"),)])
def test_who_asks_for_all_is_told_when_one_of_ours_would_be_left_out(plugins):
    target = "baselines.erm:ERM" if plugins else "baselines.nowhere:ERM"
    with pytest.raises(BenchmarkError, match="'erm'"):
        Registry("method", {"erm": target}, GROUP, plugins).working()


def test_an_unknown_name_comes_with_its_neighbours_and_the_entry_point_group():
    told = rf"unknown method; got 'isnet_pth'; expected did you mean 'isnet_path'.*{re.escape(GROUP)}"
    with pytest.raises(BenchmarkError, match=told):
        METHODS.get("isnet_pth")


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("no_such_module:X", "ModuleNotFoundError"),
        ("benchmark.api:Nothing", "AttributeError"),
        ("benchmark.api", "AttributeError"),
    ],
)
def test_code_that_does_not_import_is_told_with_its_cause(target, error):
    registry = registry_of(point("gain", target))
    assert "gain" in registry
    told = rf"method 'gain' \(entry point\) cannot be imported from '{re.escape(target)}'; got .{error}"
    with pytest.raises(BenchmarkError, match=told) as caught:
        registry.get("gain")
    assert type(caught.value.__cause__).__name__ == error
