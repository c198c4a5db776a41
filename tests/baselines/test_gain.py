"""The map against captum, the masked image by hand, gradients by finite differences, and a mark that inhibits."""

import math

import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from differences import require_slopes
from staged import Staged, batch_of
from torch import nn
from torch.nn.functional import cross_entropy

from baselines.gain import GAIN, taken_out
from baselines.grad_cam import grad_cam, run
from benchmark.api import Batch, Task
from benchmark.backbone import create_classifier
from benchmark.errors import BenchmarkError

RNG = torch.Generator()


def method(**options: object) -> GAIN:
    return GAIN(GAIN.Settings(**{"grid": 3, **options}))


def cam_of(network: nn.Module, batch: Batch, grid: int) -> torch.Tensor:
    logits, features = run(network, batch.image, grid)
    return grad_cam(logits, features, batch.label, batch.image.shape[-2:], create_graph=False)


@pytest.mark.parametrize(("grid", "layer"), [(3, "second"), (4, "first")])
def test_the_map_is_captums_grad_cam_of_the_chosen_stage(grid: int, layer: str) -> None:
    network, batch = Staged().eval(), batch_of()
    captum = LayerGradCam(network, network.get_submodule(layer))
    expected = LayerAttribution.interpolate(
        captum.attribute(batch.image, batch.label, relu_attributions=True), (6, 6), interpolate_mode="bilinear"
    )
    found = cam_of(network, batch, grid)
    assert found.max() > 0
    torch.testing.assert_close(found, expected)


def test_the_map_of_a_timm_network_is_captums() -> None:
    torch.manual_seed(3)
    network = create_classifier(Task("test_resnet", 3, 1, 28, 28)).double().eval()
    batch = batch_of(size=28)
    captum = LayerGradCam(network, network.layer1)
    small = captum.attribute(batch.image, batch.label, relu_attributions=True)
    expected = LayerAttribution.interpolate(small, (28, 28), interpolate_mode="bilinear")
    torch.testing.assert_close(cam_of(network, batch, 7), expected)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_byobnet", "test_mambaout"])
def test_the_deepest_stage_is_the_networks_last_feature_map(backbone: str) -> None:
    torch.manual_seed(3)
    network = create_classifier(Task(backbone, 3, 1, 64, 64)).eval()
    image = batch_of(2, 64).image.float()
    _, features = run(network, image, 2)
    last = network.forward_features(image)
    torch.testing.assert_close(features, last if last.shape[1] == features.shape[1] else last.permute(0, 3, 1, 2))


def test_the_masked_image_by_hand() -> None:
    image, cam = torch.tensor([[[[0.8, 0.4]]]]), torch.tensor([[[[0.9, 0.2]]]])
    expected = [0.8 - 0.8 / (1 + math.exp(-10 * (0.9 - 0.5))), 0.4 - 0.4 / (1 + math.exp(-10 * (0.2 - 0.5)))]
    assert taken_out(image, cam, 10.0, 0.5).flatten().tolist() == pytest.approx(expected)


def test_loss_is_the_sum_of_its_three_terms_put_together_by_hand() -> None:
    network, batch = Staged(), batch_of()
    options = {"mining_weight": 0.5, "mask_weight": 3.0, "steepness": 8.0, "threshold": 0.1}
    found = method(**options).loss(network, batch, RNG)
    cam = cam_of(network, batch, 3)
    without = batch.image * (1 - 1 / (1 + torch.exp(-8.0 * (cam - 0.1))))
    mining = network(without).softmax(1)[torch.arange(4), batch.label].mean()
    distance = ((cam - batch.mask) ** 2).mean()
    torch.testing.assert_close(found["mining_loss"], mining)
    torch.testing.assert_close(found["mask_loss"], distance)
    expected = cross_entropy(network(batch.image), batch.label) + 0.5 * mining + 3.0 * distance
    torch.testing.assert_close(found["loss"], expected)


def map_weights(network: Staged, batch: Batch) -> torch.Tensor:
    """Grad-CAM's weights in closed form: of (a + a**2).mean() and a linear head."""
    a = network.second(network.first(batch.image))
    return (network.head.weight[batch.label] * (1 + 2 * a).mean((2, 3)) / 9)[:, :, None, None].detach()


@pytest.mark.parametrize("double_backward", [True, False])
def test_gradient_of_the_loss_is_that_of_finite_differences(double_backward: bool) -> None:
    """With constant weights of the map: of the loss in which they are held at their value of now."""
    network, batch = Staged(), batch_of()
    gain = method(mask_weight=100.0, threshold=0.02, double_backward=double_backward)
    held = map_weights(network, batch)

    def loss() -> float:
        if double_backward:
            return gain.loss(network, batch, RNG)["loss"].item()
        with torch.no_grad():
            a = network.second(network.first(batch.image))
            cam = (held * a).sum(1, keepdim=True).clamp(min=0)
            cam = nn.functional.interpolate(cam, (6, 6), mode="bilinear")
            mined = network(batch.image * (1 - torch.sigmoid(10 * (cam - 0.02)))).softmax(1)
            mining = mined[torch.arange(4), batch.label].mean()
            total = cross_entropy(network(batch.image), batch.label) + mining + 100 * (cam - batch.mask).square().mean()
        return total.item()

    weights = list(network.parameters())
    value = gain.loss(network, batch, RNG)["loss"]
    assert loss() == pytest.approx(value.item(), rel=1e-12)
    require_slopes(loss, weights, torch.autograd.grad(value, weights), every=5)


def test_training_through_the_weights_of_the_map_is_another_gradient() -> None:
    network, batch = Staged(), batch_of()
    heads = [
        torch.autograd.grad(method(double_backward=way).loss(network, batch, RNG)["mask_loss"], network.head.weight,
                            allow_unused=True)[0]
        for way in (True, False)
    ]  # fmt: skip
    assert heads[0].abs().max() > 0
    assert heads[1] is None  # the head acts on the map through its weights only


def test_validation_without_gradients_finds_the_same_loss() -> None:
    network, batch = Staged(), batch_of()
    trained = method(double_backward=True).loss(network, batch, RNG)["loss"]
    with torch.no_grad():
        validated = method(double_backward=True).loss(network.eval(), batch, RNG)["loss"]
    torch.testing.assert_close(validated, trained)


def test_masked_images_leave_the_running_statistics_alone() -> None:
    task, batch = Task("test_resnet", 3, 1, 28, 28), batch_of(size=28)
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(create_classifier(task).double().train())
    networks[0](batch.image)
    method().loss(networks[1], batch, RNG)
    for name, expected in networks[0].named_buffers():
        if name.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(networks[1].get_buffer(name), expected)
    assert networks[1].bn1.momentum == 0.1


def test_no_hook_stays_behind() -> None:
    network = Staged()
    method().loss(network, batch_of(), RNG)
    assert not any(module._forward_hooks for module in network.modules())


class Inhibited(nn.Module):
    """Two units a pixel: one is on where there is light, the other, which speaks for class 0, where there is none."""

    feature_info = [{"num_chs": 2, "reduction": 1, "module": "units"}]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        conv, head = nn.Conv2d(1, 2, 1), nn.Linear(2, 2, bias=False)
        conv.weight.data, conv.bias.data = torch.tensor([1.0, -2.0]).view(2, 1, 1, 1), torch.tensor([0.0, 1.0])
        head.weight.data = torch.tensor([[0.0, 8.0], [1.0, 0.0]])
        self.units, self.head = nn.Sequential(conv, nn.ReLU()), head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.units(x).mean((2, 3)))


def test_a_mark_that_inhibits_is_on_no_map_of_the_image_but_on_those_of_the_path() -> None:
    network = Inhibited()
    mask = torch.zeros(64, 1, 2, 2)
    mask[:, :, 0, 0] = 1
    image = 0.25 * mask + (1 - mask)  # the object is a grey pixel, the mark the other three, white
    batch = Batch(image, torch.zeros(64, dtype=torch.int64), mask)
    gain = GAIN.Settings(grid=2)
    assert network(image * mask)[0, 0] - network(image)[0, 0] > 5  # what the mark does to the logit
    assert GAIN(gain).loss(network, batch, RNG)["mask_loss"] == 0
    on_path = GAIN(gain.model_copy(update={"path": "zero"})).loss(network, batch, torch.Generator().manual_seed(0))
    assert on_path["mask_loss"] > 0.2  # on three of four pixels, for half of the path


class NoStages(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :3]


def test_networks_without_a_map_that_is_large_enough_are_refused() -> None:
    batch = batch_of()
    with pytest.raises(BenchmarkError, match=r"needs the stages.*NoStages"):
        method().loss(NoStages(), batch, RNG)
    with pytest.raises(BenchmarkError, match=r"7 pixels a side.*\(4, 6, 6\), \(3, 3, 3\).*Lower grid"):
        method(grid=7).loss(Staged(), batch, RNG)


def test_tokens_are_no_map() -> None:
    stages = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double()
    stages.feature_info = [{"num_chs": 3, "reduction": 1, "module": "1"}]  # type: ignore[assignment]
    with pytest.raises(BenchmarkError, match=r"feature map of 1 pixels.*\(3,\)"):
        method(grid=1).loss(stages, batch_of(), RNG)
