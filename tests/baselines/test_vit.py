"""Cross-entropy of a transformer, and nothing but transformers."""

import numpy as np
import pytest
import torch

from baselines.vit import ViT, is_transformer
from benchmark.api import Batch, Needs, Task
from benchmark.errors import BenchmarkError


def build(backbone: str, size: int = 28) -> torch.nn.Module:
    torch.manual_seed(0)
    return ViT(ViT.Settings()).build(Task(backbone, 3, 1, size, size))


def test_loss_is_the_cross_entropy_of_the_logits() -> None:
    network = build("test_vit patch_size=7").eval()
    batch = Batch(torch.rand(4, 1, 28, 28), torch.tensor([0, 1, 2, 1]))
    logits = network(batch.image).detach().double().numpy()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(p[np.arange(4), batch.label.numpy()]).mean()
    found = ViT(ViT.Settings()).loss(network, batch, torch.Generator())
    assert found["loss"].item() == pytest.approx(expected, rel=1e-5)
    assert ViT.needs == Needs()


@pytest.mark.parametrize(
    "backbone", ["test_vit patch_size=7", "test_vit patch_size=4 depth=2", "test_vit3 patch_size=7"]
)
def test_transformers_are_built(backbone: str) -> None:
    assert build(backbone)(torch.zeros(2, 1, 28, 28)).shape == (2, 3)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_convnext", "test_mambaout"])
def test_other_networks_are_refused(backbone: str) -> None:
    with pytest.raises(BenchmarkError, match=rf"{backbone}.*vision transformer.*Set backbone"):
        build(backbone, 64)


def test_a_patch_embedding_in_front_of_blocks_without_attention_is_no_transformer() -> None:
    network = build("test_vit patch_size=7 depth=2")
    network.blocks[1] = torch.nn.Linear(64, 64)
    assert not is_transformer(network)
