"""The map by its formula and by what it sums to, the threshold against numpy, and what the second training sees."""

from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerActivation, LayerGradientXActivation
from minority import Linear, Small, assert_resumes_anywhere, fit_of, images, sets_of
from torch import nn
from torch.nn.functional import cross_entropy

from baselines.grad_cam import run
from baselines.masktune import MaskTune, Tuned, freeze, threshold, xgrad_cam
from benchmark.api import Batch, Task
from benchmark.backbone import create_classifier
from benchmark.errors import BenchmarkError

RNG = torch.Generator()
TASK = Task("test_resnet", 3, 1, 28, 28)


class Units(nn.Module):
    """One unit a class, on where there is light, and a head that adds each unit up."""

    feature_info = [{"num_chs": 2, "reduction": 1, "module": "units"}]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.units, self.head = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU()), nn.Linear(2, 2)
        self.units[0].weight.data = torch.tensor([1.0, 0.5]).view(2, 1, 1, 1)
        self.head.weight.data, self.head.bias.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.zeros(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.units(x).sum((2, 3)))


class Weighed(nn.Module):
    """Two weights for every pixel: a map that can tell places apart."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(1 + 0.1 * torch.randn(2, 4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weight).relu()


class Placed(nn.Module):
    feature_info = [{"num_chs": 2, "reduction": 1, "module": "units"}]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.units, self.head = Weighed(), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.units(x).sum((2, 3)))


class OnPlaces(MaskTune):
    def build(self, task: Task) -> nn.Module:
        return Tuned(Placed(), 1, self.settings.deviations)


SLOW = {"optimizer": {"name": "sgd", "lr": 0.05}}


def timm_setting() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(3)
    return create_classifier(TASK).double().eval(), torch.rand(4, 1, 28, 28, dtype=torch.float64)


def test_the_map_is_grad_cam_weighed_by_captums_gradient_times_activation() -> None:
    network, image = timm_setting()
    logits, features = run(network, image, 7)
    target = logits.argmax(1)
    found = xgrad_cam(logits, features, target, torch.Size((7, 7)))
    product = LayerGradientXActivation(network, network.layer1).attribute(image, target).detach().numpy()
    active = LayerActivation(network, network.layer1).attribute(image).detach().numpy()
    expected = np.zeros((4, 1, 7, 7))
    for n in range(4):
        for c in range(32):
            expected[n, 0] += product[n, c].sum() / (active[n, c].sum() + 1e-7) * active[n, c]
    assert found.max() > 0
    np.testing.assert_allclose(found.numpy(), expected.clip(min=0), rtol=1e-9, atol=1e-15)


def test_the_map_of_a_network_without_bias_sums_to_the_logit() -> None:
    network, image = Units(), torch.rand(3, 1, 4, 4)
    logits, features = run(network, image, 1)
    cam = xgrad_cam(logits, features, torch.tensor([0, 1, 0]), image.shape[-2:])
    torch.testing.assert_close(cam.sum((1, 2, 3)), logits[[0, 1, 2], [0, 1, 0]].detach())


def test_a_channel_that_is_off_leaves_the_map_finite() -> None:
    logits, features = run(Units(), torch.zeros(1, 1, 4, 4, requires_grad=True), 1)
    cam = xgrad_cam(logits, features, torch.tensor([0]), torch.Size((4, 4)))
    assert cam.eq(0).all()
    assert threshold(cam, 2.0) == 0


def test_the_threshold_is_mean_and_deviations_of_the_positive_pixels_of_each_map() -> None:
    cam = torch.tensor([[[[0.0, 1.0, 2.0], [0.0, 6.0, 0.0]]], [[[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]]])
    positive = np.array([1.0, 2.0, 6.0])
    expected = [positive.mean() + 1.5 * positive.std(), 0.5]
    np.testing.assert_allclose(threshold(cam, 1.5).flatten().numpy(), expected, rtol=1e-6)


def one_bright_pixel() -> torch.Tensor:
    image = torch.full((2, 1, 4, 4), 0.2)
    image[0, 0, 0, 0], image[1, 0, 3, 1] = 1.0, 0.8
    return image


def test_the_most_salient_pixels_are_taken_out_and_no_others() -> None:
    image = one_bright_pixel()
    expected = image.clone()
    expected[0, 0, 0, 0] = expected[1, 0, 3, 1] = 0
    found = Tuned(Units(), 1, 2.0).without_salient(image)
    assert torch.equal(found, expected)
    assert torch.equal(image, one_bright_pixel())  # the batch itself stays as it was


def test_a_flat_map_masks_nothing() -> None:
    image = torch.full((1, 1, 4, 4), 0.5)
    assert torch.equal(Tuned(Units(), 1, 2.0).without_salient(image), image)
    assert torch.equal(Tuned(Units(), 1, 2.0).without_salient(0 * image), 0 * image)


def test_the_losses_are_cross_entropy_of_whole_and_of_masked_images() -> None:
    network, image, label = Tuned(Units(), 1, 2.0), one_bright_pixel(), torch.tensor([1, 0])
    tune, batch = MaskTune(MaskTune.Settings()), Batch(image, label)
    torch.testing.assert_close(
        tune.first_loss(network, batch, RNG)["loss"], cross_entropy(network.classifier(image), label)
    )
    masked = image * (image == torch.tensor(0.2))
    expected = cross_entropy(network.classifier(masked), label)
    torch.testing.assert_close(tune.loss(network, batch, RNG)["loss"], expected)
    with torch.no_grad():
        torch.testing.assert_close(tune.loss(network.eval(), batch, RNG)["loss"], expected)


def test_what_is_masked_depends_on_the_former_network_alone() -> None:
    network, image = Tuned(Units(), 1, 2.0), one_bright_pixel()
    before = network.without_salient(image)
    network.classifier.units[0].weight.data.neg_()
    assert torch.equal(network.without_salient(image), before)
    network.former.units[0].weight.data.neg_()
    assert torch.equal(network.without_salient(image), image)  # its units are off


def test_the_former_network_gets_no_gradient_and_keeps_its_running_statistics_in_training() -> None:
    torch.manual_seed(0)
    tune = MaskTune(MaskTune.Settings())
    network = tune.build(TASK).train()
    assert isinstance(network, Tuned)
    before = {name: value.clone() for name, value in network.former.state_dict().items()}
    loss = tune.loss(network, Batch(torch.rand(4, 1, 28, 28), torch.tensor([0, 1, 2, 0])), RNG)["loss"]
    loss.backward()
    assert all(weight.grad is None for weight in network.former.parameters())
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.classifier.parameters())
    for name, value in network.former.state_dict().items():
        assert torch.equal(value, before[name])
    assert network.classifier.training
    assert not network.former.training


def test_the_former_network_is_the_best_of_the_first_training_and_the_second_starts_from_it() -> None:
    fit = fit_of(OnPlaces(MaskTune.Settings()), sets_of(0.9), epochs=2, **SLOW)
    network = fit.plain
    assert isinstance(network, Tuned)
    fit.begin(0)
    while fit.state.epoch < 2:
        fit.run_epoch()
    best = {name.removeprefix("classifier."): value for name, value in fit.state.best.items()}
    network.classifier.head.weight.data.add_(1)  # what the last epoch left is not what was best
    fit.begin(1)
    for one in (network.former, network.classifier):
        assert all(torch.equal(value, best[name]) for name, value in one.state_dict().items())
    fit.run(lambda _: None)
    assert fit.state.epoch == 3
    assert all(torch.equal(value, best[name]) for name, value in network.former.state_dict().items())
    assert not torch.equal(network.classifier.head.weight, best["head.weight"])


def test_a_bright_shortcut_is_what_is_masked() -> None:
    fit = fit_of(OnPlaces(MaskTune.Settings()), sets_of(1.0), **SLOW)
    fit.run(lambda _: None)
    network = fit.plain
    assert isinstance(network, Tuned)
    test = images(256, 1.0, 3)
    image = test.image / 255
    kept = network.without_salient(image)[:, 0] == image[:, 0]
    assert kept[torch.arange(256), 0, test.code].float().mean() < 0.1  # the mark is gone from nearly all
    assert kept[:, 1:].float().mean() > 0.9  # and the object stays


def test_a_training_taken_up_after_any_epoch_ends_in_the_same_bits(tmp_path: Path) -> None:
    assert_resumes_anywhere(lambda: OnPlaces(MaskTune.Settings()), tmp_path)


def test_the_tuning_phase_is_short_and_slow() -> None:
    first, second = MaskTune(MaskTune.Settings(finetune_epochs=2, finetune_lr=0.05)).phases(10)
    assert (first.epochs, first.lr, second.epochs, second.lr) == (10, 1.0, 2, 0.05)


def test_networks_without_a_map_are_refused_when_they_are_built() -> None:
    class NoMap(MaskTune, Small):
        pass

    with pytest.raises(BenchmarkError, match="stages"):
        NoMap(MaskTune.Settings()).build(Task("none", 2, 1, 4, 4))
    with pytest.raises(BenchmarkError, match="grid"):
        MaskTune(MaskTune.Settings(grid=20)).build(TASK)


def test_the_deployed_classifier_is_the_tuned_one() -> None:
    network = Tuned(Linear(Task("none", 2, 1, 4, 4)), 1, 2.0)
    assert MaskTune(MaskTune.Settings()).deploy(network) is network.classifier
    network.classifier[1].weight.data.add_(1)
    freeze(network, None, RNG)  # type: ignore[arg-type]
    assert torch.equal(network.former[1].weight, network.classifier[1].weight)
