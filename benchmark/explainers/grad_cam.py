r"""Grad-CAM: where the last convolutional map speaks for a class.

.. math::
    w_c = \frac{1}{|A|} \sum_{ij} \frac{\partial f_y(x)}{\partial A_{cij}}, \qquad
    R = \mathrm{up}\Big(\mathrm{ReLU}\Big(\sum_c w_c A_c\Big)\Big)

``A`` is a feature map, ``f_y`` the logit of a class, ``up`` bilinear to the size of the image. The rectification is the
paper's: what speaks against the class is not shown.

Source: Selvaraju et al. 2017 (arXiv 1610.02391), eq. 1-2; captum's ``LayerGradCam``. ``A`` is found, not named, by
:func:`benchmark.explainers.last_map.last_map`.
"""

from __future__ import annotations

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from benchmark.explainers.frozen import frozen
from benchmark.explainers.last_map import last_map
from benchmark.explainers.spread import spread


def explain(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """The map of the logits ``target`` ``[B]`` for images ``[B, C, H, W]``, not negative, in equal parts a channel.

    Raises:
        NotImplementedError: If the model has no convolutional map between image and logits.
    """
    with frozen(model):
        layer = last_map(model, image)
        coarse: Tensor = LayerGradCam(model, layer).attribute(image, target=target, relu_attributions=True)
    with torch.no_grad():
        return spread(coarse.detach(), image)
