"""The bounds of an ISNet from a plain classifier, on a tiny pack."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
from made_images import bars
from ruamel.yaml import YAML

from baselines.isnet import ISNet
from benchmark.biases.corner import Corner
from benchmark.config import parse
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError
from benchmark.inject import inject
from benchmark.training import seed
from benchmark.training.job import Job
from benchmark.training.progress import Display
from pipelines import tune_bounds

READER = YAML(typ="safe", pure=True)

SETTINGS = """version: 1
training:
  backbone: test_resnet
  epochs: 9
  batch_size: 16
  optimizer: {name: sgd, lr: 0.05}
  clip_norm: 1.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with one biased pack and the settings of two methods."""
    pack = tmp_path / "data/biased/bars-corner/pack.h5"
    pack.parent.mkdir(parents=True)
    subsets = inject(bars(96), Corner(Corner.Settings()))
    write_columns(pack, {name: subset.columns() for name, subset in subsets.items()}, {})
    methods = tmp_path / "pipelines/configs/methods"
    methods.mkdir(parents=True)
    (methods / "erm.yaml").write_text(SETTINGS)
    (methods / "isnet.yaml").write_text(SETTINGS + "options:\n  deep_supervision: true\n")
    (tmp_path / "params.yaml").write_text("matrix: {dataset: [bars], bias: [corner], method: [isnet]}\nseeds: [3]\n")
    return tmp_path


def tune(cell: str, epochs: int = 2) -> None:
    tune_bounds.tune_bounds(Namespace(cell=cell, suite="default", epochs=epochs, seed=None))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Processes of their own are the pool's tests; here they would only take time."""
    monkeypatch.chdir(folder)

    def train(jobs: list[Job], display: Display) -> None:
        for job in jobs:
            seed.run(job, display.show)

    monkeypatch.setattr(tune_bounds, "train_seeds", train)


@pytest.mark.usefixtures("in_this_process")
def test_bounds_are_written_and_printed_as_yaml(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune("bars-corner-isnet")
    output = capsys.readouterr().out
    assert "epoch 2/2" in output
    found = json.loads((folder / "runs/default/bars-corner-isnet.bounds.json").read_text())
    assert found["maps"] == ["image", "layer1", "layer2", "layer3", "layer4"]
    assert (found["images"], found["seed"], found["epochs"]) == (48, 3, 2)
    for mean, std, low, high in zip(found["mean"], found["std"], found["lower"], found["upper"], strict=True):
        assert low == pytest.approx(max(mean / 5, mean - 3 * std))
        assert high == pytest.approx(min(25 * low, mean + 3 * std))
    lines = output.split("\n\n")[1]
    settings = parse(ISNet.Settings, READER.load(lines)["options"], "printed")
    assert settings.lower == pytest.approx(tuple(found["lower"]), rel=1e-3)
    assert settings.upper == pytest.approx(tuple(found["upper"]), rel=1e-3)
    assert not list((folder / "runs/.work").rglob("*.*"))


@pytest.mark.usefixtures("in_this_process")
def test_bounds_that_were_interrupted_go_on_and_end_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tune("bars-corner-isnet")
    file = folder / "runs/default/bars-corner-isnet.bounds.json"
    undisturbed = file.read_bytes()
    file.unlink()
    epochs: list[int] = []

    def stop(display: Display, number: int, done: int, *_: object) -> None:
        epochs.append(done)
        if len(epochs) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Display, "show", stop)
    with pytest.raises(KeyboardInterrupt):
        tune("bars-corner-isnet")
    tune("bars-corner-isnet")
    assert epochs == [1, 2]  # no epoch twice
    assert file.read_bytes() == undisturbed


def test_a_method_without_bounds_is_refused_before_any_training(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(BenchmarkError, match="method 'erm' has no bounds to tune"):
        tune("bars-corner-erm")
    assert not (folder / "runs").exists()


def test_one_map_is_printed_as_a_number() -> None:
    assert tune_bounds.yaml_lines({"lower": [1.25], "upper": [30.0]}) == "options:\n  lower: 1.25\n  upper: 30"
