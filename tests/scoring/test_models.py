import numpy as np
import pytest
import torch
from torch import nn

from benchmark.scoring.models import (
    BATCH,
    GivenMask,
    UnknownOperation,
    featurizer,
    heatmaps,
    predictor,
    to_tensor,
)
from benchmark.scoring.settings import JUDGE


def test_images_of_a_pack_become_what_a_model_takes():
    image = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3) * 10
    tensor = to_tensor(image)
    assert tensor.shape == (1, 3, 2, 4)
    assert tensor.dtype == torch.float32
    assert tensor[0, 2, 1, 3].item() == pytest.approx(image[0, 1, 3, 2] / 255)
    assert to_tensor(np.full((1, 1, 1, 1), 255, np.uint8)).item() == 1


def test_relevance_keeps_its_sign_and_is_summed_over_channels():
    # a linear model: the relevance of pixel i is w_i x_i; the channels weigh +3 and -1
    model = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.Flatten())
    model[0].weight.data = torch.tensor([3.0, -1.0]).reshape(1, 2, 1, 1)
    image = torch.tensor([[1.0, 0.0], [0.5, 2.0]]).reshape(1, 2, 1, 2)
    (found,) = heatmaps(JUDGE, model, image, torch.tensor([1]))
    # logit 1 is pixel 1: 3 * 0 - 2
    np.testing.assert_allclose(found, [[0, -2]], atol=1e-6)
    (found,) = heatmaps(JUDGE, model, image, torch.tensor([0]))
    np.testing.assert_allclose(found, [[3 - 0.5, 0]], atol=1e-6)


class Pooled(nn.Module):
    """Ends in an operation that LRP has no rule for."""

    def forward(self, x):
        return torch.stack([x.flatten(1).logsumexp(1), -x.flatten(1).logsumexp(1)], 1)


def test_a_model_that_an_explainer_does_not_know_has_no_maps():
    image, target = torch.rand(2, 1, 4, 4), torch.tensor([0, 1])
    with pytest.raises(UnknownOperation, match="lrp_epsilon cannot explain the model; got"):
        heatmaps("lrp_epsilon", Pooled(), image, target)
    assert heatmaps(JUDGE, Pooled(), image, target).shape == (2, 4, 4)


def test_masks_of_an_oracle_go_with_their_images_however_often_an_explainer_stacks_them():
    class Oracle(nn.Module):
        def forward(self, image, mask):
            inside = (image * mask).sum((1, 2, 3))
            return torch.stack([inside, -inside], 1)

    image, mask = torch.rand(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    for row in range(3):
        mask[row, 0, row] = 1
    given = GivenMask(Oracle(), mask)
    torch.testing.assert_close(given(torch.cat([image, 2 * image])), torch.cat([given(image), 2 * given(image)]))
    found = heatmaps(JUDGE, given, image, torch.zeros(3, dtype=torch.int64))
    np.testing.assert_allclose(found, (image * mask)[:, 0].numpy(), atol=1e-5)


def linear():
    """Two hidden units, two classes."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.ReLU(), nn.Linear(2, 2))


def test_a_prediction_does_not_depend_on_the_images_beside_it():
    image = np.random.default_rng(0).integers(0, 256, (2 * BATCH + 3, 4, 4, 1), np.uint8)
    mask, predict = np.ones(image.shape[:3], np.uint8), predictor(linear(), None)
    whole = predict(image, mask)
    assert whole.shape == (2 * BATCH + 3, 2)
    rows = [0, BATCH - 1, BATCH, 2 * BATCH + 2]
    np.testing.assert_allclose(predict(image[rows], mask[rows]), whole[rows], rtol=1e-5)


def test_a_model_with_masks_at_test_gets_what_becomes_of_them():
    class Oracle(nn.Module):
        def forward(self, image, mask):
            inside = (image * mask).sum((1, 2, 3))
            return torch.stack([inside, -inside], 1)

    image, mask = np.full((3, 4, 4, 1), 255, np.uint8), np.ones((3, 4, 4), np.uint8)
    as_they_are, none = predictor(Oracle(), lambda image, mask: mask), predictor(Oracle(), lambda image, mask: 0 * mask)
    assert as_they_are(image, mask)[:, 0].tolist() == [16, 16, 16]
    assert none(image, mask)[:, 0].tolist() == [0, 0, 0]


def test_features_are_what_the_last_linear_layer_is_given():
    model, image = linear(), np.random.default_rng(1).integers(0, 256, (5, 4, 4, 1), np.uint8)
    mask = np.ones(image.shape[:3], np.uint8)
    features = featurizer(model, None)
    with torch.no_grad():
        expected = model[2](model[1](model[0](to_tensor(image)))).numpy()
    np.testing.assert_allclose(features(image, mask), expected, rtol=1e-5)
    assert not any(layer._forward_hooks for layer in model.modules())


def test_a_model_without_a_linear_layer_has_no_features():
    assert featurizer(Pooled(), None) is None
