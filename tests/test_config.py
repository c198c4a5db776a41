import re
from pathlib import Path

import pytest

from benchmark.api import Options
from benchmark.check.retrain import Regression
from benchmark.config import (
    Matrix,
    MethodFile,
    Optimizer,
    Suite,
    Training,
    load,
    load_bias,
    load_method,
    parse,
    read_yaml,
)
from benchmark.data.named import load_dataset
from benchmark.errors import BenchmarkError
from benchmark.registry import METHODS
from benchmark.scoring.settings import Scoring
from benchmark.tune.settings import load_search

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "pipelines" / "configs"
SUITE = "matrix: {dataset: [mnist5k], bias: [corner], method: [erm, isnet]}\nseeds: [0, 1]\n"
METHOD = """\
version: 1
training:
  backbone: test_resnet
  epochs: 2
  batch_size: 8
  optimizer: {name: sgd, lr: 1e-3, weight_decay: 5e-3}
"""


@pytest.fixture
def write(tmp_path):
    def written(text, name="settings.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def test_a_suite_is_read(write):
    suite = load(Suite, write(SUITE))
    assert suite.seeds == (0, 1)
    assert [cell.key for cell in suite.cells()] == ["mnist5k-corner-erm", "mnist5k-corner-isnet"]


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "0.001", "1.0e-3", "+1e-3", ".001"])
def test_a_power_of_ten_is_a_number(write, text):
    settings = load(MethodFile, write((METHOD + "options: {margin: 1e-3}\n").replace("1e-3", text)))
    assert settings.training.optimizer.lr == pytest.approx(0.001, rel=1e-12)
    assert settings.training.optimizer.weight_decay == pytest.approx(0.005, rel=1e-12)
    assert settings.options["margin"] == pytest.approx(0.001, rel=1e-12)
    assert type(settings.options["margin"]) is float


def test_yaml_1_2_takes_no_for_a_name(write):
    assert load(Suite, write(SUITE.replace("erm", "no"))).matrix.method == ("no", "isnet")


@pytest.mark.parametrize(
    ("model", "text", "where", "value"),
    [
        (Suite, SUITE + "sedes: [3]\n", "sedes", "[3]"),
        (Suite, SUITE.replace("{dataset", "{metod: [gain], dataset"), "matrix.metod", "['gain']"),
        (MethodFile, METHOD + "optoins: {a: 7}\n", "optoins", "{'a': 7}"),
        (MethodFile, METHOD.replace("epochs: 2", "epochs: 2\n  epoch: 3"), "training.epoch", "3"),
        (MethodFile, METHOD.replace("{name", "{momentun: 0.5, name"), "training.optimizer.momentun", "0.5"),
    ],
)
def test_an_unknown_key_is_refused_with_file_key_and_value(write, model, text, where, value):
    path = write(text)
    told = rf"settings in {re.escape(str(path))}: .*{re.escape(where)}: .*\(got {re.escape(value)}\).*keys among"
    with pytest.raises(BenchmarkError, match=told):
        load(model, path)


@pytest.mark.parametrize(
    ("old", "new", "where", "value"),
    [
        ("epochs: 2", "epochs: 0", "training.epochs", "0"),
        ("epochs: 2", "epochs: two", "training.epochs", "'two'"),
        ("epochs: 2", "epochs: 2.5", "training.epochs", "2.5"),
        ("batch_size: 8", "batch_size: 1", "training.batch_size", "1"),
        ("name: sgd", "name: sdg", "training.optimizer.name", "'sdg'"),
        ("lr: 1e-3", "lr: 0", "training.optimizer.lr", "0"),
        ("lr: 1e-3", "lr: .nan", "training.optimizer.lr", "nan"),
        ("lr: 1e-3", "lr: .inf", "training.optimizer.lr", "inf"),
        ("lr: 1e-3", "lr: fast", "training.optimizer.lr", "'fast'"),
        ("weight_decay: 5e-3", "momentum: 1", "training.optimizer.momentum", "1"),
        ("version: 1\n", "", "version", "{"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(write, old, new, where, value):
    assert old in METHOD
    told = rf"settings\.yaml: {re.escape(where)}: .*\(got {re.escape(value)}"
    with pytest.raises(BenchmarkError, match=told):
        load(MethodFile, write(METHOD.replace(old, new, 1)))


def test_every_wrong_key_is_told_at_once(write):
    with pytest.raises(BenchmarkError, match=r"training\.epochs: .*training\.optimizer\.lr: .*typo: "):
        load(MethodFile, write(METHOD.replace("epochs: 2", "epochs: 0").replace("1e-3", "-1") + "typo: 1\n"))


@pytest.mark.parametrize("kind", ["dataset", "bias", "method"])
def test_an_empty_matrix_list_is_refused(kind):
    lists = {"dataset": ["mnist5k"], "bias": ["corner"], "method": ["erm"], kind: []}
    with pytest.raises(BenchmarkError, match=rf"matrix\.{kind}: .*the list is empty.*\(got \[\]\)"):
        parse(Suite, {"matrix": lists, "seeds": [0]}, "params.yaml")


@pytest.mark.parametrize("seeds", [[], [-1], [0, -3], [1, 1], [0, 1, 0], ["a"], [0.5], None, 0])
def test_bad_seeds_are_refused(write, seeds):
    with pytest.raises(BenchmarkError, match=r"params\.yaml: seeds"):
        parse(Suite, {**read_yaml(write(SUITE)), "seeds": seeds}, "params.yaml")


@pytest.mark.parametrize("name", ["isnet-path", "isnet@0", "ISNet", "", "a b", 5, None])
def test_a_name_that_breaks_a_cell_is_refused(name):
    with pytest.raises(BenchmarkError, match=rf"params\.yaml: method.*got .*{re.escape(repr(name))}"):
        parse(Matrix, {"dataset": ["a"], "bias": ["b"], "method": ["erm", name]}, "params.yaml")


def test_a_name_given_twice_is_refused():
    with pytest.raises(BenchmarkError, match=r"method: .*\['erm', 'erm'\] names something twice"):
        parse(Matrix, {"dataset": ["a"], "bias": ["b"], "method": ["erm", "erm"]}, "params.yaml")


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "gain.yaml"
    with pytest.raises(BenchmarkError, match=rf"settings file {re.escape(str(path))} is missing.*params\.yaml"):
        load(MethodFile, path)


@pytest.mark.parametrize(
    "text",
    ["a: [1, 2", "a: 1\n b: 2\n", "a: 1\na: 2\n", "a: 1\n---\nb: 2\n", "\tx: 1", b"a: \xff\xfe", "x: \x07", "a: *none"],
    ids=["bracket", "indent", "key twice", "two documents", "tab", "not utf-8", "control", "no anchor"],
)
def test_broken_yaml_is_refused_with_the_file(write, text):
    with pytest.raises(BenchmarkError, match=r"settings file .*broken\.yaml is not YAML; got "):
        read_yaml(write(text, "broken.yaml"))


def test_yaml_runs_nothing(write, tmp_path):
    target = tmp_path / "made"
    with pytest.raises(BenchmarkError, match="is not YAML"):
        read_yaml(write(f'a: !!python/object/apply:os.mkdir ["{target}"]'))
    assert not target.exists()


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "text"])
def test_a_file_that_is_no_mapping_is_refused(write, text):
    with pytest.raises(BenchmarkError, match=r"settings in .*settings\.yaml: "):
        load(Suite, write(text))


def test_a_method_is_named_by_its_file_or_by_its_key(write):
    assert load_method(write(METHOD, "isnet.yaml")).method == "isnet"
    assert load_method(write(METHOD + "method: isnet\n", "isnet_adamw.yaml")).method == "isnet"
    assert load_method(write(METHOD + "method: erm\n", "erm.yaml")).method == "erm"


def test_a_method_that_nobody_registered_is_refused_with_close_names_and_the_file(write, tmp_path):
    told = r"unknown method; got 'isnt'; expected did you mean 'isnet'.*mend .*isnet_sgd\.yaml"
    with pytest.raises(BenchmarkError, match=told):
        load_method(write(METHOD + "method: isnt\n", "isnet_sgd.yaml"))
    with pytest.raises(BenchmarkError, match=r"unknown method; got 'isnet_sgdd'.*mend .*isnet_sgdd\.yaml"):
        load_method(write(METHOD, "isnet_sgdd.yaml"))
    with pytest.raises(BenchmarkError, match=r"unknown method; got 'isnt'; expected did you mean 'isnet'.*isnt\.yaml"):
        load_method(tmp_path / "isnt.yaml")
    with pytest.raises(BenchmarkError, match=r"settings file .*isnet\.yaml is missing"):
        load_method(tmp_path / "no" / "isnet.yaml")


def test_a_registered_name_cannot_hide_another_method(write):
    with pytest.raises(BenchmarkError, match=r"isnet\.yaml bears the name .*got 'method: erm'.*Rename"):
        load_method(write(METHOD + "method: erm\n", "isnet.yaml"))


@pytest.mark.parametrize("value", ["[isnet]", "3", "{name: isnet}"])
def test_a_method_key_that_is_no_name_is_refused(write, value):
    with pytest.raises(BenchmarkError, match=r"isnet_sgd\.yaml: method: .*valid string"):
        load_method(write(METHOD + f"method: {value}\n", "isnet_sgd.yaml"))


def test_settings_do_not_change_after_they_are_read():
    settings = Optimizer(name="sgd", lr=0.1)
    with pytest.raises(ValueError, match="frozen"):
        settings.lr = 0.2


# --- what the repository ships ----------------------------------------------------------------------

FILES = sorted(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_shipped_settings_file_is_good(path, monkeypatch):
    if path.parent.name == "methods":
        settings = load_method(path)
        registered = METHODS.get(settings.method)
        assert isinstance(settings.training, Training)
        assert isinstance(registered(parse(registered.Settings, settings.options, str(path))).settings, Options)
    elif path.parent.name == "search":
        settings = load_method(path.parent.parent / "methods" / path.name)
        search = load_search(path, settings)
        assert "training.optimizer.lr" in search.space  # of every method
        assert search.strength is None or search.strength in search.space
    elif path.parent.name == "biases":
        assert load_bias(path).settings.version >= 1
    elif path.name == "scoring.yaml":
        assert load(Scoring, path).images >= 100
    elif path.name == "regression.yaml":
        assert load(Regression, path).train["default"]
    else:
        monkeypatch.chdir(CONFIGS.parents[1])
        assert load_dataset(path.stem).settings.version >= 1


def test_a_bias_may_be_configured_under_a_name_of_its_own(tmp_path):
    (tmp_path / "corner60.yaml").write_text("bias: corner\nversion: 1\ncorrelation: 0.6\n")
    bias = load_bias(tmp_path / "corner60.yaml")
    assert type(bias).__name__ == "Corner"
    assert bias.settings.correlation == 0.6
    (tmp_path / "korner.yaml").write_text("version: 1\n")
    told = r"unknown bias; got 'korner'; expected did you mean 'corner'.*mend .*korner\.yaml"
    with pytest.raises(BenchmarkError, match=told):
        load_bias(tmp_path / "korner.yaml")
    (tmp_path / "mine.yaml").write_text("bias: cornr\nversion: 1\n")
    with pytest.raises(BenchmarkError, match=r"got 'cornr'; expected did you mean 'corner'.*mend .*mine\.yaml"):
        load_bias(tmp_path / "mine.yaml")


def test_the_default_suite_has_a_settings_file_for_every_name():
    matrix = load(Suite, ROOT / "params.yaml").matrix
    named = {("datasets", matrix.dataset), ("biases", matrix.bias), ("methods", matrix.method)}
    wanted = {CONFIGS / kind / f"{name}.yaml" for kind, names in named for name in names}
    assert wanted <= set(FILES)
