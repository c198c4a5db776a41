"""The oracle sees the foreground and nothing else."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from baselines.mask_input import MaskInput
from benchmark.api import Batch, Task

RNG = torch.Generator()


def setting(channels: int = 3) -> tuple[MaskInput, nn.Module, Batch]:
    torch.manual_seed(3)
    oracle = MaskInput(MaskInput.Settings())
    network = oracle.build(Task("test_resnet", 3, channels, 28, 28))
    mask = torch.zeros(4, 1, 28, 28)
    mask[:, :, 8:20, 8:20] = 1
    return oracle, network, Batch(torch.rand(4, channels, 28, 28), torch.arange(4) % 3, mask)


@pytest.mark.parametrize("channels", [1, 3])
def test_logits_change_with_the_foreground_and_not_with_the_background(channels: int) -> None:
    oracle, network, batch = setting(channels)
    model = oracle.deploy(network).eval()
    logits, other = model(batch.image, batch.mask), torch.rand_like(batch.image)
    assert torch.equal(model(torch.where(batch.mask > 0, batch.image, other), batch.mask), logits)
    assert not torch.allclose(model(torch.where(batch.mask > 0, other, batch.image), batch.mask), logits)


def test_loss_is_the_cross_entropy_of_a_plain_classifier_on_blanked_images() -> None:
    oracle, network, batch = setting()
    blanked = batch.image.clone()
    blanked[:, :, :8], blanked[:, :, 20:], blanked[:, :, :, :8], blanked[:, :, :, 20:] = 0, 0, 0, 0
    network.eval()
    expected = cross_entropy(network.get_submodule("classifier")(blanked), batch.label)
    torch.testing.assert_close(oracle.loss(network, batch, RNG)["loss"], expected)


def test_the_oracle_declares_what_it_sees() -> None:
    assert MaskInput.needs.describe() == "training masks, masks at test"
    assert MaskInput.masks_input


@pytest.mark.parametrize("foreground", [0.0, 1.0])
def test_masks_of_one_kind_give_finite_gradients(foreground: float) -> None:
    oracle, network, batch = setting()
    one = Batch(batch.image, torch.zeros(4, dtype=torch.int64), torch.full_like(batch.mask, foreground))
    oracle.loss(network, one, RNG)["loss"].backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())
