"""What a trained seed stores of each variant: the images that it shows, and the logits of just these."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import make_job
from made_images import shuffled_index, with_pixels

from benchmark.api import Needs, Task
from benchmark.backbone import create_classifier
from benchmark.biases.corner import Corner
from benchmark.data.pack import read_columns
from benchmark.data.pack_write import write_columns
from benchmark.inject import inject
from benchmark.predictions import image_sets
from benchmark.training.data import all_logits, load_tensors
from benchmark.training.seed import predictions


@pytest.fixture(scope="module")
def two_hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack whose external images are others than those of the test."""
    index = shuffled_index(160, 2, ("train", "val", "test", "external"))
    subsets = inject(with_pixels(index, side=28), Corner(Corner.Settings(version=1)))
    path = tmp_path_factory.mktemp("hospitals") / "pack.h5"
    write_columns(path, {name: subset.columns() for name, subset in subsets.items()}, {"strata": "label"})
    return path


def test_every_variant_keeps_the_images_that_it_shows(two_hospitals: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_classifier(Task("test_resnet", 2, 1, 28, 28)).eval()
    stored = predictions(make_job(two_hospitals, tmp_path / "seed-5", seed=5), model, Needs(), None)
    assert image_sets(stored.tested) == {"iid": ("iid", "ood", "deceiving"), "external": ("external",)}
    assert stored.attributes["strata"] == "label"
    for variant, tested in stored.tested.items():
        columns, _ = read_columns(two_hospitals, variant)
        for name in ("id", "unit", "source", "label"):
            assert np.array_equal(getattr(tested, name), columns[name])
        with torch.no_grad():
            expected = model(torch.from_numpy(columns["image"]).permute(0, 3, 1, 2) / 255)
        torch.testing.assert_close(torch.from_numpy(stored.logits[variant][0]), expected, atol=1e-5, rtol=1e-5)
    assert not set(stored.tested["external"].id) & set(stored.tested["iid"].id)


def test_logits_do_not_depend_on_how_many_images_run_at_once(two_hospitals: Path) -> None:
    torch.manual_seed(0)
    model = create_classifier(Task("test_resnet", 2, 1, 28, 28)).eval()
    tensors = load_tensors(two_hospitals, "iid")
    whole, parts = (all_logits(model, tensors, Needs(), size) for size in (256, 7))
    assert whole.shape == (len(tensors), 2)
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-5)
    assert not whole.requires_grad
