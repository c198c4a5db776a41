"""The penalty by hand and by captum's maps, its gradient by finite differences, and a mark that inhibits."""

import copy

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from differences import require_slopes
from staged import Staged, batch_of
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.rrr_gradcam import RRRGradCAM, outside
from benchmark.api import Batch, Task
from benchmark.backbone import create_classifier
from benchmark.errors import BenchmarkError

RNG = torch.Generator()


def method(**options: object) -> RRRGradCAM:
    return RRRGradCAM(RRRGradCAM.Settings(**{"grid": 3, **options}))


def test_the_penalty_of_a_map_by_hand() -> None:
    relevance = torch.tensor([[[[4.0, 1.0], [-2.0, 0.0]]]])
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :2] = 1  # the cell of the 4 is foreground,
    mask[..., 0, 2] = 1  # a quarter of that of the 1
    expected = (0.75 * 1 / 4) ** 2 + (2 / 4) ** 2
    assert outside(relevance, mask).item() == pytest.approx(expected)
    assert outside(-relevance, mask).item() == pytest.approx(expected)


def test_the_penalty_is_a_mean_over_images_and_the_scale_of_a_map_does_not_count() -> None:
    relevance = torch.randn(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    mask = batch_of(3, 4).mask.float()
    each = torch.stack([outside(relevance[i : i + 1], mask[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(outside(relevance, mask), each.mean())
    torch.testing.assert_close(outside(10 * relevance, mask), each.mean())


def test_a_map_of_zeros_costs_nothing_and_has_a_finite_gradient() -> None:
    relevance = torch.zeros(1, 1, 2, 2, requires_grad=True)
    penalty = outside(relevance, torch.zeros(1, 1, 4, 4))
    (gradient,) = torch.autograd.grad(penalty, relevance)
    assert penalty == 0
    assert torch.isfinite(gradient).all()


def by_captum(network: nn.Module, layer: nn.Module, batch: Batch) -> float:
    """The penalty in numpy from captum's map."""
    maps = LayerGradCam(network, layer).attribute(batch.image, batch.label, relu_attributions=False)
    total = 0.0
    for relevance, mask in zip(maps.detach().numpy()[:, 0], batch.mask.numpy()[:, 0], strict=True):
        cell = len(mask) // len(relevance)
        share = (1 - mask).reshape(len(relevance), cell, len(relevance), cell).mean((1, 3))
        total += float(np.square(share * relevance / np.abs(relevance).max()).sum())
    return total / len(maps)


@pytest.mark.parametrize(("grid", "layer"), [(3, "second"), (4, "first")])
def test_the_penalty_is_that_of_captums_map(grid: int, layer: str) -> None:
    network, batch = Staged().eval(), batch_of()
    found = method(grid=grid).loss(network, batch, RNG)["gradcam_penalty"].item()
    assert found == pytest.approx(by_captum(network, network.get_submodule(layer), batch), rel=1e-9)


def test_the_penalty_of_a_timm_network_is_that_of_captums_map() -> None:
    torch.manual_seed(3)
    network, batch = create_classifier(Task("test_resnet", 3, 1, 28, 28)).double().eval(), batch_of(size=28)
    found = method(grid=7).loss(network, batch, RNG)["gradcam_penalty"].item()
    assert found == pytest.approx(by_captum(network, network.layer1, batch), rel=1e-9)


def test_gradient_of_the_loss_is_that_of_finite_differences_also_through_the_weights_of_the_map() -> None:
    network, batch, rrr = Staged(), batch_of(), method(penalty_weight=0.7)

    def loss() -> Tensor:
        return rrr.loss(network, batch, RNG)["loss"]

    weights = list(network.parameters())
    found = torch.autograd.grad(loss(), weights)
    of_head = torch.autograd.grad(rrr.loss(network, batch, RNG)["gradcam_penalty"], network.head.weight)[0]
    assert of_head.abs().max() > 0  # the head acts on the map through its weights only
    require_slopes(lambda: loss().item(), weights, found, every=5)


def test_loss_is_cross_entropy_plus_the_weighted_penalty() -> None:
    network, batch = Staged(), batch_of()
    found = method(penalty_weight=0.3).loss(network, batch, RNG)
    expected = cross_entropy(network(batch.image), batch.label) + 0.3 * found["gradcam_penalty"]
    torch.testing.assert_close(found["loss"], expected)


def test_validation_without_gradients_finds_the_same_loss() -> None:
    network, batch = Staged(), batch_of()
    trained = method().loss(network, batch, RNG)["loss"]
    with torch.no_grad():
        validated = method().loss(network.eval(), batch, RNG)["loss"]
    torch.testing.assert_close(validated, trained)


def test_constant_statistics_are_those_of_the_batch_and_the_classification_is_the_plain_one() -> None:
    torch.manual_seed(3)
    network, batch = create_classifier(Task("test_resnet", 3, 1, 28, 28)).double(), batch_of(size=28)
    plain, frozen = copy.deepcopy(network), copy.deepcopy(network)
    for norm in frozen.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0  # the running variance is then that of the batch, n / (n - 1) of the one used
            norm.register_forward_pre_hook(
                lambda norm, x: setattr(norm, "correction", 1 - 1 / (x[0].numel() / x[0].shape[1]))
            )
    frozen(batch.image)
    for norm in frozen.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_var *= norm.correction
    penalties = {
        statistics: method(grid=7, statistics=statistics).loss(copy.deepcopy(network), batch, RNG)["gradcam_penalty"]
        for statistics in ("batch", "constant")
    }
    expected = method(grid=7).loss(frozen.eval(), batch, RNG)["gradcam_penalty"]
    torch.testing.assert_close(penalties["constant"], expected)
    assert not torch.allclose(penalties["batch"], expected)
    method(grid=7, statistics="constant", penalty_weight=0).loss(network, batch, RNG)["loss"].backward()
    cross_entropy(plain(batch.image), batch.label).backward()
    for found, other in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, other.grad, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(network.bn1.running_var, plain.bn1.running_var)


@pytest.mark.parametrize("foreground", [0.0, 1.0])
def test_masks_of_one_kind_give_finite_gradients(foreground: float) -> None:
    torch.manual_seed(3)
    network = create_classifier(Task("test_resnet", 2, 3, 28, 28))
    image = torch.rand(3, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    batch = Batch(image.clone(), torch.zeros(3, dtype=torch.int64), torch.full((3, 1, 28, 28), foreground))
    found = method(grid=7).loss(network, batch, RNG)
    found["loss"].backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())
    assert (found["gradcam_penalty"] == 0) == (foreground == 1)
    assert torch.equal(batch.image, image)


class Inhibited(nn.Module):
    """Two units a pixel: one is on where there is light, the other, which speaks for class 0, where there is none."""

    feature_info = [{"num_chs": 2, "reduction": 1, "module": "units"}]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        conv, head = nn.Conv2d(1, 2, 1), nn.Linear(2, 2, bias=False)
        conv.weight.data, conv.bias.data = torch.tensor([1.0, -2.0]).view(2, 1, 1, 1), torch.tensor([0.0, 1.0])
        head.weight.data = torch.tensor([[0.0, 8.0], [1.0, 0.0]])
        self.units, self.head = nn.Sequential(conv, nn.ReLU()), head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.units(x).mean((2, 3)))


def test_a_mark_that_inhibits_costs_nothing_at_the_image_and_something_on_the_path() -> None:
    network = Inhibited()
    mask = torch.zeros(64, 1, 2, 2)
    mask[:, :, 0, 0] = 1
    image = 0.25 * mask + (1 - mask)  # the object is a grey pixel, the mark the other three, white
    batch = Batch(image, torch.zeros(64, dtype=torch.int64), mask)
    assert network(image * mask)[0, 0] - network(image)[0, 0] > 5  # what the mark does to the logit
    assert method(grid=2).loss(network, batch, RNG)["gradcam_penalty"] == 0
    on_path = method(grid=2, path="zero").loss(network, batch, torch.Generator().manual_seed(0))
    assert on_path["gradcam_penalty"] > 0.2


@pytest.mark.parametrize(("backbone", "grid"), [("test_vit", 7), ("test_resnet", 20)])
def test_a_task_without_a_map_is_refused_before_training(backbone: str, grid: int) -> None:
    with pytest.raises(BenchmarkError, match="feature map of"):
        method(grid=grid).build(Task(f"{backbone} patch_size=4" if "vit" in backbone else backbone, 3, 1, 28, 28))
    assert method(grid=7).build(Task("test_resnet", 3, 1, 28, 28)).training
