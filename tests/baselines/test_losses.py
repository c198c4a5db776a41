"""Each method's loss against its formula, put together by hand from other parts."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from baselines.erm import ERM
from baselines.isnet import ISNet
from baselines.isnet_path import ISNetPath
from benchmark.api import Batch, Task
from benchmark.training.fit import build
from isnet import lrp, path
from isnet.loss import background_loss, foreground_loss

TASK = Task("test_resnet", 3, 1, 28, 28)


def setting() -> tuple[torch.nn.Module, Batch]:
    rng = torch.Generator().manual_seed(0)
    mask = torch.zeros(5, 1, 28, 28)
    mask[:, :, 8:20, 8:20] = 1
    batch = Batch(torch.rand(5, 1, 28, 28, generator=rng), torch.tensor([0, 1, 2, 0, 1]), mask)
    return build(ERM(ERM.Settings()), TASK, seed=1).eval(), batch


def test_erm_is_cross_entropy() -> None:
    network, batch = setting()
    logits = network(batch.image)
    by_hand = -logits.log_softmax(1)[torch.arange(5), batch.label].mean()
    found = ERM(ERM.Settings()).loss(network, batch, torch.Generator())
    torch.testing.assert_close(found["loss"], by_hand)
    assert set(found) == {"loss"}


@pytest.mark.parametrize("kind", [ISNet, ISNetPath])
def test_isnet_weighs_classification_against_both_heatmap_terms(kind: type[ISNet]) -> None:
    network, batch = setting()
    assert batch.mask is not None
    settings = kind.Settings(
        heatmap_share=0.6, background_weight=2.0, foreground_weight=3.0, decay=0.5, offset=2.0, lower=0.5, upper=9.0,
        target="label",
    )  # fmt: skip
    found = kind(settings).loss(network, batch, torch.Generator().manual_seed(4))
    x = batch.image
    if kind is ISNetPath:
        x = path.sample(x, batch.mask, torch.Generator().manual_seed(4))
        assert not torch.equal(x, batch.image)
    heatmap = lrp.explain(network, x, batch.label)
    l1 = background_loss(heatmap, batch.mask, decay=0.5, offset=2.0).mean()
    l2 = foreground_loss(heatmap, batch.mask, lower=0.5, upper=9.0).mean()
    expected = 0.4 * cross_entropy(network(x), batch.label) + 0.6 * (2.0 * l1 + 3.0 * l2)
    torch.testing.assert_close(found["loss"], expected)
    torch.testing.assert_close(found["heatmap_loss"], 2.0 * l1 + 3.0 * l2)
