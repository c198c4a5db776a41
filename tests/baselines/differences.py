"""Gradients of a loss in the weights against central differences."""

from collections.abc import Callable, Sequence

import pytest
from torch import Tensor, nn

STEP = 1e-6


def require_slopes(
    loss: Callable[[], float], weights: Sequence[nn.Parameter], gradients: Sequence[Tensor], every: int
) -> None:
    """Moves one in ``every`` entries of each weight to and fro: the loss must change as its gradient says."""
    for weight, gradient in zip(weights, gradients, strict=True):
        flat = weight.data.view(-1)
        for index in range(0, len(flat), every):
            value, ends = flat[index].item(), []
            for sign in (1, -1):
                flat[index] = value + sign * STEP
                ends.append(loss())
            flat[index] = value
            slope = (ends[0] - ends[1]) / (2 * STEP)
            assert gradient.view(-1)[index].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)
