"""What a cell's facts tell of its bias: what was planted, not what the settings file says by now."""

import json
from pathlib import Path

import pytest
from made_images import bars

from benchmark import paths
from benchmark.cell import Cell
from benchmark.config import load_bias
from benchmark.data.pack_write import write_columns
from benchmark.inject import inject
from pipelines.score import bias_facts

CELL = Cell("bars", "faint", "erm")
YAML = "bias: corner\nstrength: 0.25\ncorrelation: 0.5\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A biased pack with the attribute that stage inject writes, and the settings that it was made by."""
    monkeypatch.chdir(tmp_path)
    settings = paths.bias_yaml("faint")
    settings.parent.mkdir(parents=True)
    settings.write_text(YAML)
    bias = load_bias(settings)
    subsets = {name: subset.columns() for name, subset in inject(bars(12), bias).items()}
    write_columns(paths.biased_pack(CELL.task), subsets, {"bias_settings": bias.settings.model_dump_json()})
    return tmp_path


def test_settings_come_from_the_pack_and_the_registered_name_from_the_file(project: Path) -> None:
    paths.bias_yaml("faint").write_text(YAML.replace("0.25", "0.75"))  # edited after the images were made
    told = bias_facts(CELL)
    assert told["registered_bias"] == "corner"
    assert {name: told["bias_settings"][name] for name in ("strength", "correlation", "seed", "codes")} == {
        "strength": 0.25,
        "correlation": 0.5,
        "seed": 0,
        "codes": None,
    }
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_bias_without_a_file_is_registered_under_its_own_name(project: Path) -> None:
    paths.bias_yaml("faint").unlink()
    assert bias_facts(CELL)["registered_bias"] == "faint"
