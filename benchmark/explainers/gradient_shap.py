r"""GradientSHAP: integrated gradients from a distribution of baselines instead of one.

.. math:: R_i = \mathrm{E}_{x^0}\Big[ (x_i - x_i^0) \int_0^1 \partial_i f\big(x^0 + t (x - x^0)\big)\,dt \Big]

From a black baseline alone a dark pixel gets nothing, whatever it means to the model. Here the baselines are black,
grey, white and one image of uniform noise, the same for every image that is explained.

Source: Lundberg and Lee 2017 (arXiv 1705.07874), as in captum's ``GradientShap``; the formula is that of expected
gradients, Erion et al. 2021 (arXiv 1906.10670). Deviations:

- They draw ``x^0`` and ``t`` at random for each image. Here every baseline has its share and the integral its
  quadrature, which is the same expectation without the scatter: an image's map does not depend on a seed, on its place
  in the batch or on its neighbours. What runs is captum's integrated gradients, once a baseline.
- The baselines are made and not drawn from the training images, which an explainer does not see.
"""

from __future__ import annotations

from captum.attr import IntegratedGradients
from torch import Tensor, nn, stack, tensor

from benchmark.explainers.chunk import rows
from benchmark.explainers.frozen import frozen
from benchmark.seeding import numpy_stream

STEPS = 4
"""Gauss-Legendre points a baseline: 16 gradients an image."""


def baselines(image: Tensor) -> Tensor:
    """Black, grey, white and noise for images ``[B, C, H, W]``: ``[4, C, H, W]``, in [0, 1]."""
    noise = tensor(numpy_stream(0, "gradient_shap").random(image.shape[1:])).to(image)
    flat = [noise.new_full(noise.shape, level) for level in (0.0, 0.5, 1.0)]
    return stack([*flat, noise])


def explain(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Attribution of the logits ``target`` ``[B]`` for images ``[B, C, H, W]``, the mean over four baselines."""
    with frozen(model):
        parts: list[Tensor] = [
            IntegratedGradients(model).attribute(
                image, baselines=start[None], target=target, n_steps=STEPS, internal_batch_size=rows(image)
            )
            for start in baselines(image)
        ]
    return stack(parts).mean(0).detach()
