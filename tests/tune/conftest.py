"""A project of its own in a temporary folder: a tiny biased pack, methods' settings and search files."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.api import Images
from benchmark.biases.corner import Corner
from benchmark.data.masks import ink_mask
from benchmark.data.pack import write_columns
from benchmark.inject import inject
from benchmark.seeding import numpy_stream

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


def bars(count: int) -> Images:
    """Images 28 x 28 with a bright bar whose place is the class."""
    label = np.arange(count) % 3
    image = np.zeros((count, 28, 28, 1), np.uint8)
    for row, k in enumerate(label):
        image[row, 8 + 3 * k : 11 + 3 * k, 8:20] = 100 + row
    split = np.array(["train"] * (count // 2) + ["val"] * (count // 4) + ["test"] * (count - count // 2 - count // 4))
    ids = np.array([f"image_{row}" for row in range(count)])
    return Images(image, ink_mask(image, 0.1, 1), label, ids, np.full(count, "made"), split, ids)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: `bars-corner` with 48 training and 24 validation images, and `erm`."""
    monkeypatch.chdir(tmp_path)
    images = bars(96)
    subsets = inject(images, Corner(Corner.Settings(version=1)), numpy_stream(0, "injection"))
    pack = tmp_path / "data" / "biased" / "bars-corner" / "pack.h5"
    write_columns(pack, {name: subset.columns() for name, subset in subsets.items()}, {})
    for folder, text in (("methods", METHOD), ("search", SEARCH)):
        file = tmp_path / "pipelines" / "configs" / folder / "erm.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return tmp_path
