"""The members of the ISNet family and their options, each against its formula or a property."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.erm import ERM
from baselines.isnet_base import HeatmapTrained
from baselines.isnet_dual import ZPLUS
from baselines.isnet_maps import part, sample_of
from benchmark.api import Batch, Task
from benchmark.config import parse
from benchmark.errors import BenchmarkError
from benchmark.registry import METHODS
from benchmark.training.fit import build
from isnet import lrp, path
from isnet.deep_supervision import over_places
from isnet.loss import heatmap_loss, shrink
from isnet.targets import selective

TASK = Task("test_resnet", 3, 1, 28, 28)
FAMILY = [name for name in METHODS if name.startswith("isnet")]


def method(name: str = "isnet", **options: Any) -> HeatmapTrained:
    kind = METHODS.get(name)
    return kind(parse(kind.Settings, options, name))


def batch_of(count: int = 6) -> Batch:
    rng = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, 28, 28)
    mask[:, :, 8:20, 8:20] = 1
    return Batch(torch.rand(count, 1, 28, 28, generator=rng), torch.arange(count) % 3, mask)


def network(task: Task = TASK) -> nn.Module:
    return build(ERM(ERM.Settings()), task, seed=1)


def loss(one: HeatmapTrained, net: nn.Module, batch: Batch | None = None, seed: int = 4) -> Mapping[str, Tensor]:
    return one.loss(net, batch or batch_of(), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", FAMILY)
def test_every_member_trains_every_weight(name: str) -> None:
    net = network().train()
    loss(method(name), net)["loss"].backward()
    for weight in net.parameters():
        assert weight.grad is not None
        assert torch.isfinite(weight.grad).all()
    assert sum(weight.grad.abs().sum() for weight in net.parameters()) > 0


@pytest.mark.parametrize("name", FAMILY)
def test_validation_without_gradients_finds_the_same_loss(name: str) -> None:
    net = network().eval()
    with torch.no_grad():
        found = loss(method(name), net)
    torch.testing.assert_close(found["loss"], loss(method(name), net)["loss"])
    assert not found["loss"].requires_grad


def by_autograd(net: nn.Module, x: Tensor, quantity: Any) -> Tensor:
    x = x.clone().requires_grad_()
    return x.detach() * torch.autograd.grad(quantity(net(x)), x)[0]


def maps_by_hand(name: str, net: nn.Module, batch: Batch) -> list[Tensor]:
    """One map an image at a time, from other calls than the methods make."""
    x = batch.image
    match name:
        case "isnet_label":
            return [lrp.explain(net, x, batch.label)]
        case "isnet_original":
            return [torch.stack([lrp.explain(net, x, k) for k in range(3)], 1)]
        case "isnet_selective":
            logits = net(x).detach()
            return [lrp.explain(net, x, selective(logits, logits.argmin(1)))]
        case "isnet_dual":
            every = torch.ones(len(x), 3)
            return [lrp.explain(net, x, every), lrp.explain(net, x, every, composite=ZPLUS)]
        case "isnet_gradinput":
            return [torch.stack([by_autograd(net, x, lambda z, k=k: z[:, k].sum()) for k in range(3)], 1)]
        case "isnet_softmax_gradinput":
            return [by_autograd(net, x, lambda z: z.softmax(1).amax(1).sum())]
    raise AssertionError(name)


@pytest.mark.parametrize("name", sorted({*FAMILY} - {"isnet", "isnet_stochastic", "isnet_path"}))
def test_loss_is_that_of_the_maps_by_hand(name: str) -> None:
    net, batch = network().eval(), batch_of()
    found = loss(method(name, heatmap_share=0.6, background_weight=2, foreground_weight=3), net, batch)
    terms = [heatmap_loss(heatmap.detach(), batch.mask) for heatmap in maps_by_hand(name, net, batch)]
    on_heatmap = sum(2 * l1 + 3 * l2 for l1, l2 in terms) / len(terms)
    torch.testing.assert_close(found["heatmap_loss"], on_heatmap, rtol=1e-4, atol=1e-5)
    expected = 0.4 * cross_entropy(net(batch.image), batch.label) + 0.6 * on_heatmap
    torch.testing.assert_close(found["loss"], expected, rtol=1e-4, atol=1e-5)


def test_stochastic_is_what_isnet_does() -> None:
    net = network().train()
    assert torch.equal(loss(method("isnet_stochastic"), net)["loss"], loss(method("isnet"), net)["loss"])


def test_a_gradinput_map_does_not_depend_on_how_many_others_come_with_it() -> None:
    net, batch = network().eval(), batch_of()
    whole = loss(method("isnet_gradinput"), net, batch)["heatmap_loss"]
    alone = [
        loss(
            method("isnet_gradinput"), net, Batch(batch.image[i : i + 1], batch.label[i : i + 1], batch.mask[i : i + 1])
        )
        for i in range(6)
    ]
    torch.testing.assert_close(whole, torch.stack([each["heatmap_loss"] for each in alone]).mean())


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("kind", ["mean", "blur", "other"])
def test_every_member_can_take_its_maps_on_a_path(name: str, kind: str) -> None:
    net, batch = network().eval(), batch_of()
    options = {"path": kind, "alpha": "ends", "clean": 0.2}
    x = path.towards(kind, batch.image, batch.mask, torch.Generator().manual_seed(4), "ends", 0.2)
    found = loss(method(name, **options), net, batch)
    torch.testing.assert_close(found["classification_loss"], cross_entropy(net(x), batch.label))
    assert torch.isfinite(found["loss"])


def test_isnet_with_a_path_to_zero_is_isnet_path() -> None:
    net = network().eval()
    assert torch.equal(loss(method("isnet", path="zero"), net)["loss"], loss(method("isnet_path"), net)["loss"])
    with pytest.raises(BenchmarkError, match="path"):
        method("isnet_path", path="none")


class Inhibited(nn.Module):
    """A logit that the mark (right pixel) switches off; the left pixel is the object."""

    def forward(self, x: Tensor) -> Tensor:
        object_, mark = x[:, 0, 0, 0], x[:, 0, 0, 1]
        return torch.stack([object_.relu(), 3 * (1 - 2 * mark).relu()], 1)


def test_relevance_of_the_difference_adds_up_to_what_the_background_does() -> None:
    image, mask = torch.ones(4000, 1, 1, 2), torch.tensor([1.0, 0.0]).expand(4000, 1, 1, 2)
    net = Inhibited()
    at = path.point("zero", image, mask, torch.Generator().manual_seed(0))
    sample = sample_of(at, Batch(image, torch.ones(4000).long(), mask), None, "difference")
    logits = net(sample.x)
    heatmap = lrp.relevance(logits, sample.leaf, 1, eps=0.0)
    effect = net(image)[0, 1] - net(image * mask)[0, 1]
    assert heatmap[:, 0, 0, 1].mean().item() == pytest.approx(effect.item(), abs=0.1)  # -3, and at the image 0
    torch.testing.assert_close(sample.x, at.x)
    with pytest.raises(BenchmarkError, match="needs first 'epsilon'"):
        method("isnet", relevance_of="difference", first="zb")


def test_deep_supervision_pools_the_losses_of_all_places() -> None:
    net, batch = network().eval(), batch_of()
    names = ["layer1", "layer3"]
    found = loss(method("isnet_label", hidden=names, place_decay=0.5), net, batch)
    x = batch.image.clone().requires_grad_()
    with lrp.record(net, names) as hidden:
        logits = net(x)
    maps = lrp.relevance(logits, x, batch.label, at=[hidden[name] for name in names])
    places = [sum(heatmap_loss(h.detach(), shrink(batch.mask, h.shape[2:]))) for h in maps]
    torch.testing.assert_close(found["heatmap_loss"], over_places(places, 0.5))
    torch.testing.assert_close(found["background_loss"] + found["foreground_loss"], places[0])
    default = loss(method("isnet_label", deep_supervision=True), net, batch)["heatmap_loss"]
    by_name = loss(method("isnet_label", hidden=[f"layer{i}" for i in (1, 2, 3, 4)]), net, batch)["heatmap_loss"]
    assert torch.equal(default, by_name)


@pytest.mark.parametrize("name", ["isnet", "isnet_original", "isnet_dual", "isnet_gradinput"])
def test_deep_supervision_trains(name: str) -> None:
    net = network().train()
    loss(method(name, deep_supervision=True, path="mean"), net)["heatmap_loss"].backward()
    assert all(torch.isfinite(weight.grad).all() for weight in net.parameters() if weight.grad is not None)


def test_bounds_may_be_given_for_each_map() -> None:
    net, batch = network().eval(), batch_of()
    found = loss(method("isnet_dual", lower=[1.0, 40.0], upper=[25.0, 50.0]), net, batch)
    epsilon, zplus = (h.detach() for h in maps_by_hand("isnet_dual", net, batch))
    terms = heatmap_loss(epsilon, batch.mask), heatmap_loss(zplus, batch.mask, lower=40.0, upper=50.0)
    torch.testing.assert_close(found["foreground_loss"], (terms[0].foreground + terms[1].foreground) / 2)
    with pytest.raises(BenchmarkError, match=r"got '2 and 2'; expected one, or 1: of the maps at image"):
        loss(method("isnet", lower=[1.0, 2.0], upper=[3.0, 4.0]), net, batch)
    for lower, upper in ((3.0, 2.0), ([1.0, 3.0], 2.0), ([1.0, 2.0], [3.0, 4.0, 5.0])):
        with pytest.raises(BenchmarkError, match=r"each upper must exceed its lower"):
            method("isnet_dual", lower=lower, upper=upper)
    one_upper = loss(method("isnet_dual", lower=[1.0, 40.0], upper=50.0), net, batch)["foreground_loss"]
    assert torch.isfinite(one_upper)


@pytest.mark.parametrize("every", [2, 5])
def test_skipped_relevance_is_made_up_for_on_average(every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network().train()
    passes = []
    original = lrp.relevance
    monkeypatch.setattr(lrp, "relevance", lambda *args, **kwargs: passes.append(1) or original(*args, **kwargs))
    one, rng, batch = method("isnet_label", every=every), torch.Generator().manual_seed(0), batch_of()
    full = loss(method("isnet_label"), net, batch)
    assert len(passes) == 1
    terms = [one.loss(net, batch, rng) for _ in range(60)]
    found = torch.stack([each["heatmap_loss"] for each in terms]).detach()
    assert len(passes) - 1 == int((found > 0).sum())
    assert (found > 0).float().mean().item() == pytest.approx(1 / every, abs=0.15)
    expected = torch.where(found > 0, every * full["heatmap_loss"], 0.0)
    torch.testing.assert_close(found, expected)
    for each in terms:
        torch.testing.assert_close(each["loss"], 0.3 * each["classification_loss"] + 0.7 * each["heatmap_loss"])
    torch.testing.assert_close(terms[0]["classification_loss"], full["classification_loss"])


def test_validation_computes_the_whole_loss_also_where_training_is_lazy() -> None:
    net = network().eval()
    whole = loss(method("isnet_label"), net)["loss"]
    for options in ({"every": 1000}, {"fraction": 0.3}):
        assert torch.equal(loss(method("isnet_label", **options), net)["loss"], whole)


class NoNorm(nn.Module):
    """Without batch norm images do not see each other, so a part of a batch can be checked against the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 144, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def test_a_fraction_of_the_batch_has_its_own_mean_heatmap_loss_and_the_whole_classification_loss() -> None:
    torch.manual_seed(0)
    net, batch = NoNorm().train(), batch_of(8)
    found = loss(method("isnet_label", fraction=0.4), net, batch)
    rows, _ = part(8, 0.4, torch.Generator().manual_seed(4))
    assert rows is not None
    assert len(rows.unique()) == 3
    here = Batch(batch.image[rows], batch.label[rows], batch.mask[rows])
    torch.testing.assert_close(found["heatmap_loss"], loss(method("isnet_label"), net, here)["heatmap_loss"])
    torch.testing.assert_close(found["classification_loss"], cross_entropy(net(batch.image), batch.label))


def test_parts_are_disjoint_and_neither_is_too_small_for_batch_statistics() -> None:
    for images in range(2, 12):
        for fraction in (0.01, 0.3, 0.5, 0.9, 1.0):
            rows, rest = part(images, fraction, torch.Generator())
            if rows is None:
                assert rest is None
                assert images - max(2, round(fraction * images)) < 2
            else:
                assert min(len(rows), len(rest)) >= 2
                assert sorted([*rows.tolist(), *rest.tolist()]) == list(range(images))


@pytest.mark.parametrize("name", ["isnet_label", "isnet_original", "isnet_selective", "isnet_gradinput"])
def test_a_heatmap_that_is_not_finite_names_its_layer(name: str) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3))
    for layer, size in zip(net[1:], (1e-21, 1e-18, 1e19, 1e20), strict=True):
        layer.weight.data.fill_(size)
        layer.bias.data.zero_()
    net[4].weight.data[1] = 1e19  # so that the log-odds do not cancel
    assert torch.isfinite(net(batch_of().image)).all()
    # What arrives at layer 4's input is 1e20, at layer 3's 8e39, more than a float32 holds.
    with pytest.raises(BenchmarkError, match=r"heatmap \(of image\) holds NaN or infinity; got 'first at 3, on"):
        loss(method(name, **({} if name == "isnet_gradinput" else {"eps": 0.0})), net)


def test_tuned_bounds_keep_the_maps_that_they_were_made_from() -> None:
    net, batches = network(), [batch_of(8)]
    for name, maps in (("isnet", 1), ("isnet_original", 1), ("isnet_dual", 2)):
        one = method(name, deep_supervision=maps == 1)
        found = one.tune(net, batches, torch.Generator().manual_seed(0))
        places = ["image"] * maps if maps == 2 else ["image", "layer1", "layer2", "layer3", "layer4"]
        assert found["maps"] == places
        assert found["images"] == 8
        assert all(
            low < mean < high for low, mean, high in zip(found["lower"], found["mean"], found["upper"], strict=True)
        )
        again = method(name, deep_supervision=maps == 1, lower=found["lower"], upper=found["upper"])
        assert torch.isfinite(loss(again, net.eval())["loss"])


def test_tuning_measures_the_whole_map() -> None:
    net, batch = network().train(), batch_of(8)
    found = method("isnet_label").tune(net, [batch], torch.Generator())
    x = batch.image.clone().requires_grad_()
    totals = lrp.relevance(net(x), x, batch.label).abs().sum((1, 2, 3))
    assert found["mean"][0] == pytest.approx(totals.mean().item(), rel=1e-5)
    assert found["std"][0] == pytest.approx(totals.std().item(), rel=1e-5)
