"""Both losses by hand, who learns in which phase, and what the classifier can see."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from baselines.unet_classifier import Pipeline, UNetClassifier, halvings, overlap
from benchmark.api import Batch, Phase, Task

RNG = torch.Generator()
TASK = Task("test_resnet", 3, 1, 28, 28)


def method(**options: object) -> UNetClassifier:
    return UNetClassifier(UNetClassifier.Settings(**{"width": 64, **options}))


def built(**options: object) -> Pipeline:
    torch.manual_seed(0)
    network = method(**options).build(TASK)
    assert isinstance(network, Pipeline)
    return network


def bars(count: int = 12) -> Batch:
    """Grey bars, the object, at a height of their class, and a white square, the mark, in the corner of the class."""
    label = torch.arange(count) % 3
    image, mask = torch.zeros(count, 1, 28, 28), torch.zeros(count, 1, 28, 28)
    for row, k in enumerate(label.tolist()):
        image[row, 0, 8 + 4 * k : 11 + 4 * k, 6:22] = 0.7
        mask[row, 0, 8 + 4 * k : 11 + 4 * k, 6:22] = 1
        y, x = [(0, 0), (0, 24), (24, 0)][k]
        image[row, 0, y : y + 4, x : x + 4] = 1
    return Batch(image, label, mask)


class Says(nn.Module):
    """Gives the same answer to every image, and remembers the last ones."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = nn.Parameter(answer)

    def forward(self, image: torch.Tensor, part: str = "") -> torch.Tensor:
        self.seen, self.part = image.detach().clone(), part
        return self.answer.expand(len(image), *self.answer.shape)


def test_segmentation_loss_is_the_mean_cross_entropy_of_the_pixels() -> None:
    logits = torch.tensor([[[0.3, -1.2], [2.0, 0.0]]], dtype=torch.float64)
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]], dtype=torch.float64)
    network = Says(logits)
    found = method().segmentation_loss(network, Batch(torch.zeros(1, 1, 2, 2), torch.tensor([0]), mask), RNG)
    p = 1 / (1 + np.exp([-0.3, 1.2, -2.0, 0.0]))
    expected = -(math.log(p[0]) + math.log(1 - p[1]) + math.log(1 - p[2]) + math.log(p[3])) / 4
    assert found["loss"].item() == pytest.approx(expected, rel=1e-12)
    assert found["mask_iou"].item() == pytest.approx(1 / 3)  # found: pixels 0 and 2, true: 0 and 3
    assert network.part == "segment"


def test_overlap_by_hand() -> None:
    found, truth = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    assert overlap(found, truth).item() == pytest.approx(1 / 3)
    assert overlap(truth & ~truth, truth & ~truth).item() == 1
    assert overlap(truth & ~truth, truth).item() == 0


def test_the_classifier_sees_the_image_on_the_predicted_mask_only() -> None:
    logits = torch.tensor([[[3.0, -3.0], [0.1, -0.1]]])
    classifier = Says(torch.zeros(3))
    network = Pipeline(Says(logits), classifier, 0.5)
    image = torch.tensor([[[[0.2, 0.4], [0.6, 0.8]]]])
    batch = Batch(image, torch.tensor([1]), torch.ones(1, 1, 2, 2))  # the true mask is another
    found = method().loss(network, batch, RNG)["loss"].item()
    assert classifier.seen.flatten().tolist() == pytest.approx([0.2, 0, 0.6, 0])
    assert found == pytest.approx(math.log(3))
    Pipeline(Says(logits), classifier, None)(image)
    p = 1 / (1 + np.exp([-3.0, 3.0, -0.1, 0.1]))
    assert classifier.seen.flatten().tolist() == pytest.approx((p * [0.2, 0.4, 0.6, 0.8]).tolist())


@pytest.mark.parametrize("threshold", [0.5, None])
def test_what_the_mask_leaves_out_moves_no_logit_if_the_mask_is_hard(threshold: float | None) -> None:
    torch.manual_seed(0)
    outside = torch.full((1, 28, 28), -3.0)
    outside[:, 8:20, 8:20] = 3.0
    network = Pipeline(Says(outside), built().classifier, threshold).eval()
    image = torch.rand(2, 1, 28, 28)
    marked = image.clone()
    marked[:, :, :4, :4] = 1
    with torch.no_grad():
        assert torch.equal(network(marked), network(image)) == (threshold is not None)


def run(phase: Phase, network: nn.Module, batch: Batch, steps: int, lr: float) -> None:
    assert phase.trained is not None
    weights = list(phase.trained(network))
    optimizer = torch.optim.Adam(weights, lr)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        phase.loss(network, batch, RNG)["loss"].backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("number", "learns", "rests"), [(0, "segmenter", "classifier"), (1, "classifier", "segmenter")]
)
def test_each_phase_moves_one_network_and_not_even_a_statistic_of_the_other(
    number: int, learns: str, rests: str
) -> None:
    network, batch = built(), bars()
    before = copy.deepcopy(network.state_dict())
    run(method().phases(1)[number], network, batch, 2, 1e-2)
    for name, value in network.state_dict().items():
        if name.startswith(rests):
            assert torch.equal(value, before[name]), name
        else:
            assert name.startswith(learns)
            assert not torch.equal(value, before[name]), name
    assert all(weight.grad is None for weight in getattr(network, rests).parameters())


def test_in_training_the_mask_is_that_of_the_deployed_segmenter() -> None:
    network, batch = built(threshold=None), bars()
    network.train()
    trained = network.mask(batch.image)
    assert network.segmenter.training
    assert not trained.requires_grad
    torch.testing.assert_close(trained, network.eval().mask(batch.image).detach())


def test_a_trained_segmenter_keeps_the_object_and_hides_the_mark() -> None:
    network, batch = built(), bars()
    assert batch.mask is not None
    segment, _ = method().phases(10)
    run(segment, network, batch, 70, 1e-2)
    network.eval()
    with torch.no_grad():
        found = network.mask(batch.image)
        iou = segment.loss(network, batch, RNG)["mask_iou"].item()
    assert iou > 0.95
    assert (found * (batch.image == 1)).sum() == 0


def test_an_image_without_foreground_has_a_finite_gradient() -> None:
    network = built()
    batch = Batch(torch.zeros(4, 1, 28, 28), torch.tensor([0, 0, 0, 0]), torch.zeros(4, 1, 28, 28))
    for phase in method().phases(1):
        phase.loss(network.train(), batch, RNG)["loss"].backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())


@pytest.mark.parametrize(("side", "times"), [(7, 1), (14, 1), (27, 1), (28, 2), (56, 3), (224, 5), (1024, 5)])
def test_the_depth_of_the_unet_follows_the_size_of_the_image(side: int, times: int) -> None:
    assert halvings(side, 7) == times


def test_the_classifier_trains_for_the_common_epochs_and_the_segmenter_for_its_share() -> None:
    assert [(phase.name, phase.epochs) for phase in method(segmenter_share=0.3).phases(10)] == [
        ("segment", 3),
        ("classify", 10),
    ]
    assert method(segmenter_share=0.01).phases(10)[0].epochs == 1


def test_the_pipeline_can_be_exported() -> None:
    network, image = built().eval(), bars(2).image
    exported = torch.export.export(network, (image,))
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(image), network(image))


def test_the_pipeline_declares_that_it_blanks_the_background() -> None:
    assert UNetClassifier.masks_input
