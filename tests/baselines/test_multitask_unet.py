"""The sum of two losses by hand, which part learns from which, and that the deployed network is the plain backbone."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from baselines.multitask_unet import MultitaskUNet
from benchmark.api import Batch, Task
from benchmark.backbone import create_classifier

RNG = torch.Generator()
TASK = Task("test_resnet", 3, 1, 28, 28)


def method(**options: object) -> MultitaskUNet:
    return MultitaskUNet(MultitaskUNet.Settings(**{"width": 64, **options}))


def built() -> nn.Module:
    torch.manual_seed(0)
    return method().build(TASK)


def batch_of(mask: str = "square") -> Batch:
    rng = torch.Generator().manual_seed(1)
    masks = {"none": torch.zeros(4, 1, 28, 28), "all": torch.ones(4, 1, 28, 28), "square": torch.zeros(4, 1, 28, 28)}
    masks["square"][:, :, 8:20, 8:20] = 1
    return Batch(torch.rand(4, 1, 28, 28, generator=rng), torch.tensor([0, 1, 2, 0]), masks[mask])


class Says(nn.Module):
    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([[[[0.5, -1.0]]]]).double(), torch.tensor([[1.0, 0.0, -1.0]]).double()


def test_loss_is_cross_entropy_plus_the_weighted_cross_entropy_of_the_pixels() -> None:
    mask = torch.tensor([[[[1.0, 1.0]]]], dtype=torch.float64)
    batch = Batch(torch.zeros(1, 1, 1, 2), torch.tensor([2]), mask)
    found = method(segmentation_weight=0.3).loss(Says(), batch, RNG)
    classification = np.log(np.exp([1.0, 0.0, -1.0]).sum()) + 1
    segmentation = (np.log1p(np.exp(-0.5)) + np.log1p(np.exp(1.0))) / 2
    assert found["classification_loss"].item() == pytest.approx(classification, rel=1e-12)
    assert found["segmentation_loss"].item() == pytest.approx(segmentation, rel=1e-12)
    assert found["loss"].item() == pytest.approx(classification + 0.3 * segmentation, rel=1e-12)
    assert found["mask_iou"].item() == 0.5


def test_without_its_weight_the_method_is_the_plain_classifier_and_the_decoder_rests() -> None:
    network, batch = built().train(), batch_of()
    method(segmentation_weight=0).loss(network, batch, RNG)["loss"].backward()
    found = {name: weight.grad for name, weight in network.named_parameters()}
    plain = built().train()
    cross_entropy(method().deploy(plain)(batch.image), batch.label).backward()
    for name, weight in plain.named_parameters():
        if name.startswith(("decoder", "segmentation_head")):
            assert found[name].abs().max() == 0  # type: ignore[union-attr]
        else:
            torch.testing.assert_close(found[name], weight.grad)


def test_the_mask_teaches_the_encoder_but_not_the_head() -> None:
    network, batch = built().train(), batch_of()
    loss = method().loss(network, batch, RNG)["segmentation_loss"]
    loss.backward()
    assert all(weight.grad is None for weight in network.classification_head.parameters())
    first = next(iter(network.encoder.parameters()))
    assert first.grad is not None
    assert first.grad.abs().max() > 0


def test_the_deployed_network_is_the_backbone_as_every_other_method_has_it() -> None:
    network = built().eval()
    plain = create_classifier(TASK).eval()
    deployed = method().deploy(network)
    own = [value for name, value in deployed.state_dict().items()]
    names = list(plain.state_dict())
    assert [value.shape for value in own] == [plain.state_dict()[name].shape for name in names]
    plain.load_state_dict(dict(zip(names, own, strict=True)))
    image = batch_of().image
    with torch.no_grad():
        torch.testing.assert_close(deployed(image), plain(image))
        torch.testing.assert_close(deployed(image), network(image)[1])


@pytest.mark.parametrize("mask", ["none", "all", "square"])
def test_every_weight_has_a_finite_gradient_whatever_the_mask(mask: str) -> None:
    network = built().train()
    method().loss(network, batch_of(mask), RNG)["loss"].backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())


def test_the_deployed_network_can_be_exported() -> None:
    model, image = method().deploy(built()).eval(), batch_of().image
    with torch.no_grad():
        torch.testing.assert_close(torch.export.export(model, (image,)).module()(image), model(image))
