"""Every loss term by hand on small maps, the parts of the network in plain numpy, labels of both kinds."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from baselines.ham import HAM, bound_loss, findings, mask_loss, refine, union_loss
from baselines.ham_network import ForegroundAttention, Network, Seen, activation_map, pool
from benchmark.api import Batch, Task
from benchmark.errors import BenchmarkError

TASK = Task("test_resnet", 3, 1, 28, 28)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def method(**options: object) -> HAM:
    return HAM(HAM.Settings(**{"width": 16, **options}))


def built(classes: int = 3, **options: object) -> Network:
    torch.manual_seed(0)
    network = method(**options).build(Task("test_resnet", classes, 1, 28, 28))
    assert isinstance(network, Network)
    return network


def batch_of(mask: str = "square") -> Batch:
    masks = {"none": torch.zeros(4, 1, 28, 28), "all": torch.ones(4, 1, 28, 28), "square": torch.zeros(4, 1, 28, 28)}
    masks["square"][:, :, 8:20, 8:20] = 1
    return Batch(torch.rand(4, 1, 28, 28, generator=rng()), torch.tensor([0, 1, 2, 0]), masks[mask])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def maps(*rows: list[float]) -> torch.Tensor:
    """One image's maps of a single row of places each."""
    return torch.tensor([[[row] for row in rows]], dtype=torch.float64)


def test_pooling_is_the_logarithm_of_the_mean_of_exponentials() -> None:
    features = torch.tensor([[[[0.0, 1.0], [2.0, 0.5]]]], dtype=torch.float64)
    expected = math.log(sum(math.exp(6 * value) for value in (0.0, 1.0, 2.0, 0.5)) / 4) / 6
    assert pool(features, 6.0).item() == pytest.approx(expected, rel=1e-12)
    assert pool(features, 1e-6).item() == pytest.approx(0.875, abs=1e-5)
    assert pool(features, 1e4).item() == pytest.approx(2.0, abs=1e-3)


def test_a_map_weighs_channels_as_the_head_does_and_does_not_teach_the_head() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]], requires_grad=True)
    weight = torch.tensor([[1.0, -1.0], [0.5, 0.5]], requires_grad=True)
    found = activation_map(features, weight)
    assert found.tolist() == [[[[0.0, 2.0]], [[2.0, 1.0]]]]
    slopes = torch.autograd.grad(found.sum(), [features, weight], allow_unused=True)
    assert slopes[0] is not None
    assert slopes[1] is None


def test_foreground_attention_starts_as_the_identity() -> None:
    x = torch.rand(2, 8, 3, 3)
    torch.testing.assert_close(ForegroundAttention(8)(x), x)


def test_foreground_attention_weighs_channels_then_places() -> None:
    torch.manual_seed(0)
    block = ForegroundAttention(8, 4).double().eval()
    block.scale.data.fill_(0.7)
    x = torch.rand(1, 8, 1, 5).double()  # one row: of the 3 x 3 kernel only its middle row meets pixels
    weights = {name: value.detach().numpy() for name, value in block.named_parameters()}
    flat = x[0, :, 0].numpy()
    place = (weights["place.weight"][:, :, 0, 0] @ flat)[0]
    pooled = flat @ (np.exp(place) / np.exp(place).sum())
    hidden = np.maximum(weights["channel.0.weight"] @ pooled, 0)
    channel = 1 / (1 + np.exp(-(weights["channel.2.weight"] @ hidden)))
    value = weights["value.weight"][:, :, 0, 0] @ flat * channel[:, None]
    one = (weights["squeeze.weight"][:, :, 0, 0] @ value)[0]
    position = np.convolve(one, weights["position.0.weight"][0, 0, 1][::-1], "same") / math.sqrt(1 + 1e-5)
    expected = flat + 0.7 * one / (1 + np.exp(-position))
    np.testing.assert_allclose(block(x).detach().numpy()[0, :, 0], expected, rtol=1e-9)


def test_bound_loss_by_hand() -> None:
    found = bound_loss(maps([2.0, 1.0]), maps([1.5, 3.0]), torch.ones(1, 1).double(), 4.0, 0.75)
    expected = (3.0 - 1.5 * sigmoid(4 * 1.25) - 1.0 * sigmoid(4 * 0.25)) / 3.0
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_bound_loss_is_0_for_a_map_within_the_anomalys_and_1_for_one_outside() -> None:
    present = torch.ones(1, 1).double()
    assert bound_loss(maps([2.0, 0.0]), maps([3.0, 1.0]), present, 100.0, 0.75).item() == pytest.approx(0, abs=1e-9)
    assert bound_loss(maps([2.0, 0.0]), maps([0.0, 5.0]), present, 100.0, 0.75).item() == 1


def test_bound_loss_is_the_mean_over_images_then_over_classes_that_are_there() -> None:
    inside, outside = maps([2.0, 0.0])[0, 0], maps([0.0, 2.0])[0, 0]
    classes = torch.stack(
        [torch.stack([a, b, outside]) for a, b in [(inside, outside), (outside, inside), (inside, inside)]]
    )
    present = torch.tensor([[1, 0, 0], [1, 0, 0], [1, 1, 0]]).double()
    anomaly = maps([3.0, 0.0]).expand(3, 1, 1, 2)
    assert bound_loss(classes, anomaly, present, 100.0, 0.75).item() == pytest.approx((1 / 3 + 0) / 2, abs=1e-9)


def test_union_loss_by_hand() -> None:
    present = torch.tensor([[1.0, 1.0, 0.0]]).double()
    found = union_loss(maps([0.5, 2.0], [1.0, 0.0], [9.0, 9.0]), maps([1.5, 1.0]), present, 4.0, 0.75)
    expected = (2.5 - 1.0 * sigmoid(4 * 0.75) - 1.0 * sigmoid(4 * 0.25)) / 2.5  # the third class is not there
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_union_loss_is_the_mean_over_images_with_a_finding() -> None:
    classes = maps([2.0, 0.0]).expand(3, 1, 1, 2)
    anomaly = torch.cat([maps([1.0, 0.0]), maps([0.0, 1.0]), maps([0.0, 1.0])])
    present = torch.tensor([[1.0], [1.0], [0.0]]).double()
    assert union_loss(classes, anomaly, present, 100.0, 0.75).item() == pytest.approx(0.5, abs=1e-9)


def test_mask_loss_by_hand() -> None:
    refined = torch.tensor([[[[0.5, 1.0]], [[0.2, 0.2]]], [[[1.0, 0.0]], [[0.3, 0.3]]]], dtype=torch.float64)
    mask = torch.tensor([[[[0.0, 1.0]]], [[[1.0, 1.0]]]], dtype=torch.float64)
    found = mask_loss(refined, mask, torch.tensor([[1.0, 0.0], [1.0, 0.0]]).double())
    assert found.item() == pytest.approx((0.25 + 1.0) / (2.5 + 3.0), rel=1e-12)
    both = mask_loss(refined, mask, torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double())
    assert both.item() == pytest.approx((0.25 / 2.5 + 2 * 0.49 / 2.6) / 2, rel=1e-12)
    assert mask_loss(mask, mask, torch.ones(2, 1).double()).item() == 0


def test_a_refined_map_is_scaled_and_softly_cut() -> None:
    found = refine(maps([1.0, 5.0], [0.0, 0.0]), torch.Size([1, 3]), 10.0, 0.4)
    expected = [sigmoid(10 * (value - 0.4)) for value in (0.0, 0.5, 1.0)]  # corners keep their value
    assert found[0, 0, 0].tolist() == pytest.approx(expected, rel=1e-12)
    assert found[0, 1, 0].tolist() == pytest.approx([sigmoid(-4.0)] * 3, rel=1e-12)


def test_labels_are_one_hot_without_the_class_that_is_no_finding() -> None:
    label = torch.tensor([0, 2, 1])
    assert findings(label, 3, None).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert findings(label, 2, 1).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert findings(torch.tensor([[1, 0, 1]]), 2, 1).tolist() == [[1, 1]]


class Says(nn.Module):
    """Answers with chosen logits and maps."""

    def forward(self, image: torch.Tensor, dropout: torch.Tensor | None = None) -> Seen:
        rest = torch.rand(2, 3, 2, 2, generator=rng()).double(), torch.rand(2, 1, 2, 2, generator=rng(1)).double()
        return Seen(
            torch.tensor([[1.0, -1.0, 0.0], [0.5, 2.0, -2.0]]).double(),
            torch.tensor([0.3, -0.4], dtype=torch.float64),
            *rest,
        )


def test_loss_is_the_weighted_sum_of_its_five_terms() -> None:
    batch = Batch(torch.zeros(2, 1, 4, 4), torch.tensor([0, 2]), torch.ones(2, 1, 4, 4).double())
    weights = {"anomaly_weight": 0.1, "bound_weight": 0.2, "union_weight": 0.3, "mask_weight": 0.4}
    found = {name: term.item() for name, term in method(**weights).loss(Says().eval(), batch, rng()).items()}
    z, y = np.array([[1.0, -1.0, 0.0], [0.5, 2.0, -2.0]]), np.array([[1, 0, 0], [0, 0, 1]])
    expected = np.mean(np.log1p(np.exp(z)) - y * z)
    assert found["classification_loss"] == pytest.approx(expected, rel=1e-12)
    assert found["anomaly_loss"] == pytest.approx(np.log1p(np.exp([-0.3, 0.4])).mean(), rel=1e-12)
    assert found["loss"] == pytest.approx(
        expected
        + 0.1 * found["anomaly_loss"]
        + 0.2 * found["bound_loss"]
        + 0.3 * found["union_loss"]
        + 0.4 * found["mask_loss"],
        rel=1e-12,
    )
    assert min(found.values()) > 0


def test_labels_as_classes_and_as_rows_of_zeros_and_ones_are_the_same() -> None:
    network, batch = built(normal=1).eval(), batch_of()
    rows = Batch(batch.image, torch.eye(3, dtype=torch.int64)[batch.label], batch.mask)
    one, other = (method(normal=1).loss(network, each, rng())["loss"] for each in (batch, rows))
    torch.testing.assert_close(one, other)


def test_only_the_map_of_a_class_that_is_there_is_pulled_to_the_mask() -> None:
    network, batch = built().eval(), batch_of()
    assert batch.mask is not None
    seen = network(batch.image)
    present = findings(batch.label, 3, None).float()
    loss = mask_loss(refine(seen.maps, batch.mask.shape[2:], 5.0, 0.4), batch.mask, present)
    (slope,) = torch.autograd.grad(loss, seen.maps)
    moved = slope.abs().sum((2, 3)) > 0
    assert not moved[present == 0].any()
    assert moved[present == 1].any()


def test_the_class_without_a_finding_gets_minus_the_anomaly() -> None:
    network, image = built(4, normal=1).eval(), batch_of().image
    logits, seen = method(normal=1).deploy(network)(image), network(image)
    expected = torch.stack([seen.logits[:, 0], -seen.anomaly, seen.logits[:, 1], seen.logits[:, 2]], 1)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(method().deploy(network)(image), seen.logits)


def test_normal_must_be_a_class() -> None:
    with pytest.raises(BenchmarkError, match=r"normal.*got 3.*below 3"):
        built(normal=3)


def test_dropout_draws_from_the_methods_stream_and_only_in_training() -> None:
    network, batch, ham = built().train(), batch_of(), method(dropout=0.5)
    state = torch.random.get_rng_state()
    factors = ham.dropout(network, batch, rng(5))
    assert factors is not None
    torch.testing.assert_close(factors, ham.dropout(network, batch, rng(5)))
    assert set(factors.flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(torch.random.get_rng_state(), state)
    assert ham.dropout(network.eval(), batch, rng(5)) is None
    dead = network(batch.image, torch.zeros(4, 16))
    assert dead.logits.abs().max() < 1e-6  # nothing of the map is left, and the heads have no bias
    assert dead.maps.max() == 0


@pytest.mark.parametrize("mask", ["none", "all", "square"])
@pytest.mark.parametrize("label", [[0, 1, 2, 0], [1, 1, 1, 1]])
def test_every_weight_has_a_finite_gradient_whatever_mask_and_label(mask: str, label: list[int]) -> None:
    network, batch = built(normal=1).train(), batch_of(mask)
    loss = method(normal=1).loss(network, Batch(batch.image, torch.tensor(label), batch.mask), rng())["loss"]
    loss.backward()
    assert torch.isfinite(loss)
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())


def test_flat_maps_have_a_finite_gradient() -> None:
    flat = torch.full((2, 3, 4, 4), 1e-9, requires_grad=True)
    present, mask = torch.ones(2, 3), torch.zeros(2, 1, 8, 8)
    loss = mask_loss(refine(flat, mask.shape[2:], 100.0, 0.4), mask, present)
    loss = (
        loss + bound_loss(flat, flat[:, :1], present, 100.0, 0.75) + union_loss(flat, flat[:, :1], present, 100.0, 0.75)
    )
    (slope,) = torch.autograd.grad(loss, flat)
    assert torch.isfinite(slope).all()


def test_the_deployed_network_can_be_exported() -> None:
    model, image = method(normal=0).deploy(built(normal=0)).eval(), batch_of().image
    with torch.no_grad():
        torch.testing.assert_close(torch.export.export(model, (image,)).module()(image), model(image))
