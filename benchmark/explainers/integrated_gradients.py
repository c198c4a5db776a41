r"""Integrated gradients, the judge: no method of the suite is trained through it.

.. math:: R_i = (x_i - x_i^0) \int_0^1 \partial_i f\big(x^0 + t (x - x^0)\big)\,dt

Because it integrates along the way from the baseline, it also sees units that are switched off *at* the image, which
gradient x input and LRP cannot.
"""

from __future__ import annotations

from captum.attr import IntegratedGradients
from torch import Tensor, nn

from benchmark.explainers.chunk import rows
from benchmark.explainers.frozen import frozen

STEPS = 20


def explain(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Attribution of the logits ``target`` ``[B]`` for images ``[B, C, H, W]``, from a black baseline.

    Source:
        Sundararajan et al. 2017, "Axiomatic attribution for deep networks", eq. 1; captum, 20 Gauss-Legendre points.
    """
    with frozen(model):
        relevance: Tensor = IntegratedGradients(model).attribute(
            image, baselines=0.0, target=target, n_steps=STEPS, internal_batch_size=rows(image)
        )
    return relevance.detach()
