r"""Occlusion: how far the logit falls when a window of the image is covered.

.. math::
    R_i = \frac{1}{|\{W \ni i\}|} \sum_{W \ni i} \big( f_y(x) - f_y(x_{W \to m}) \big)

The windows ``W`` are squares of a quarter of the shorter side, an eighth apart; ``m`` is the mean of the image itself
in each channel; a pixel gets the mean of the windows that hold it. No gradient is used: what saturates, counts.

Source: Zeiler and Fergus 2014 (arXiv 1311.2901), section 4.2, with a grey square; captum's ``Occlusion``. Decided here:

- The mean of the image and not black: black is the background of digits and radiographs and the start of the integrated
  gradients, so a window of it would be blind to the same dark pixels once more. On a black background a grey window
  shows an edge of its own, which can speak for or against a class.
- A window covers all channels, and its fall is shared among them in equal parts.
"""

from __future__ import annotations

from captum.attr import Occlusion
from torch import Tensor, nn

from benchmark.explainers.chunk import rows
from benchmark.explainers.frozen import frozen


def explain(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Fall of the logits ``target`` ``[B]`` for images ``[B, C, H, W]``: positive where the image speaks for them."""
    channels, side = image.shape[1], min(image.shape[2:])
    window, stride = -(-side // 4), -(-side // 8)
    with frozen(model):
        relevance: Tensor = Occlusion(model).attribute(
            image,
            sliding_window_shapes=(channels, window, window),
            strides=(channels, stride, stride),
            baselines=image.mean((2, 3), keepdim=True).expand_as(image),
            target=target,
            perturbations_per_eval=rows(image) // len(image),
        )
    return relevance.detach().to(image.dtype) / channels  # captum averages in float32
