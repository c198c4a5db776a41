"""A project of its own in a temporary folder: a tiny biased pack, methods' settings and search files."""

from pathlib import Path

import pytest
from made_images import bars

from benchmark.biases.corner import Corner
from benchmark.data.pack_write import write_columns
from benchmark.inject import inject

METHOD = """\
# A classifier.
version: 1

training:
  backbone: test_resnet  # timm's smallest
  epochs: 9
  batch_size: 16
  optimizer: {name: adamw, lr: 5e-3}  # fast
  clip_norm: 1.0
"""
SEARCH = """\
space:
  training.optimizer.lr: {low: 1e-3, high: 1e-2, log: true}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: `bars-corner` with 48 training and 24 validation images, and `erm`."""
    monkeypatch.chdir(tmp_path)
    images = bars(96)
    subsets = inject(images, Corner(Corner.Settings()))
    pack = tmp_path / "data" / "biased" / "bars-corner" / "pack.h5"
    write_columns(pack, {name: subset.columns() for name, subset in subsets.items()}, {})
    for folder, text in (("methods", METHOD), ("search", SEARCH)):
        file = tmp_path / "pipelines" / "configs" / folder / "erm.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return tmp_path
