r"""The bounds ``C1`` and ``C2`` of the foreground's relevance, from the maps of a plain classifier.

.. math:: C_1 = \max(m/5,\, m - 3s), \qquad C_2 = \min(25\, C_1,\, m + 3s)

``m`` and ``s`` are mean and standard deviation, over images, of ``S``, the absolute relevance of the *whole* map: a
network that looks at the foreground only is to have there what a plain one has everywhere.

Source: the procedure of the ISNet authors' code (arXiv 2202.00232, 2401.08409): five epochs of plain training.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def map_total(heatmap: Tensor) -> Tensor:
    """``S`` of each image, ``[B]``, for maps ``[B, C, H, W]``; the mean over maps for ``[B, K, C, H, W]``."""
    total = heatmap.abs().sum((-3, -2, -1))
    return total.mean(1) if total.dim() == 2 else total


class Running:
    """Mean and standard deviation of a stream of numbers, in one pass and in float64.

    Source:
        Welford 1962; batches are merged as in Chan, Golub and LeVeque 1979.

    Example:
        >>> running = Running()
        >>> for batch in (torch.tensor([1.0, 2.0]), torch.tensor([6.0])):
        ...     running.add(batch)
        >>> running.mean, running.std  # 3, and the square root of (4 + 1 + 9) / 2
        (3.0, 2.6457513110645907)
    """

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, values: Tensor) -> None:
        """Takes up a batch ``[B]``.

        Raises:
            ValueError: If it holds NaN or infinity.
        """
        values = values.detach().double()
        if not bool(torch.isfinite(values).all()):
            raise ValueError("a map's total relevance is not finite: the classifier has diverged, lower its rate")
        count, mean = len(values), float(values.mean())
        step, total = mean - self.mean, self.count + count
        self._squares += float((values - mean).square().sum()) + step * step * self.count * count / total
        self.mean += step * count / total
        self.count = total

    @property
    def std(self) -> float:
        """With ``n - 1`` in the denominator; needs two numbers."""
        return math.sqrt(self._squares / (self.count - 1))


def bounds(running: Running) -> tuple[float, float]:
    """``(C1, C2)``.

    Raises:
        ValueError: If there are fewer than two images, or no map has any relevance, or all have the same.

    Example:
        >>> running = Running()
        >>> running.add(torch.tensor([8.0, 10.0, 12.0]))  # m 10, s 2
        >>> bounds(running)
        (4.0, 16.0)
    """
    if running.count < 2:
        raise ValueError(f"the bounds need the maps of at least 2 images, got {running.count}")
    m, s = running.mean, running.std
    lower = max(m / 5, m - 3 * s)
    upper = min(25 * lower, m + 3 * s)
    if not 0 < lower < upper:
        raise ValueError(
            f"the totals of {running.count} maps have mean {m:g} and deviation {s:g}, which bounds nothing: "
            "train the classifier longer, or look at its maps"
        )
    return lower, upper
