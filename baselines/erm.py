r"""Empirical risk minimisation: the plain classifier, and the reference of every comparison.

.. math:: L = \mathrm{CE}(f(x), y)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch, Method


class ERM(Method):
    """Cross-entropy and nothing else."""

    source = "Vapnik 1991, Principles of risk minimization for learning theory"

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image), batch.label)}
