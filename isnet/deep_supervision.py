r"""LRP deep supervision: the heatmap loss at hidden layers too.

.. math:: L_H = \frac{\sum_i d^i\, \ell_{(i)}}{\sum_i d^i}, \qquad
          \ell = w_1 L_1 + w_2 L_2 \text{ at the image and at each layer, the largest first}

The mask of a layer is the image's, shrunk so that a cell with any foreground is foreground.

Source: "LRP deep supervision" of Faster ISNet, arXiv 2401.08409: its places, its shrunken masks, and its rank-weighted
mean over places with ``d = 0.8``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isnet.loss import gwrp, shrink


def default_layers(model: nn.Module) -> list[str]:
    """Names of the modules that are supervised where nobody names others, from the image to the logits.

    ResNets: ``layer1`` to ``layer4``. DenseNets: the activation in front of each transition, and the last one. VGGs:
    every max pool. Other networks that list their stages in timm's ``feature_info``: those stages.

    Raises:
        ValueError: If the network is none of these.

    Example:
        >>> default_layers(nn.ModuleDict({f"layer{i}": nn.Identity() for i in (1, 2, 3, 4)}))
        ['layer1', 'layer2', 'layer3', 'layer4']
    """
    modules = dict(model.named_modules())
    residual = [f"layer{i}" for i in (1, 2, 3, 4)]
    if all(name in modules for name in residual):
        return residual
    transitions = [name for name in modules if name.rpartition(".")[2].startswith("transition")]
    if transitions:
        activations = [f"{name}.relu" if f"{name}.relu" in modules else f"{name}.norm" for name in transitions]
        return [*activations, *(name for name in modules if name.endswith("norm5"))]
    pools = [name for name, module in modules.items() if isinstance(module, nn.MaxPool2d)]
    if len(pools) > 1:
        return pools
    stages = getattr(model, "feature_info", None)
    if isinstance(stages, list):
        return [stage["module"] for stage in stages]
    raise ValueError(
        f"no default layers for deep supervision of a {type(model).__name__}: name its layers yourself, "
        f"among {', '.join(filter(None, modules))}"
    )


def layer_mask(mask: Tensor, relevance: Tensor, name: str) -> Tensor:
    """The mask at a layer.

    Args:
        mask: ``[B, 1, H, W]`` of the image.
        relevance: ``[B, C, h, w]`` or ``[B, K, C, h, w]``.
        name: Of the layer, for the error.

    Returns:
        ``[B, 1, h, w]``.

    Raises:
        ValueError: If the layer is no map in space, channels first: a list of tokens, or channels last.
    """
    *_, height, width = relevance.shape
    tall, wide = mask.shape[-2:]
    maps = relevance.dim() in (4, 5) and height <= tall and width <= wide
    # A map shrinks both sides alike, up to the rounding of a side.
    if not maps or abs(height * wide - width * tall) > max(tall, wide):
        raise ValueError(
            f"layer {name!r} has relevance {tuple(relevance.shape)}, not [B, C, h, w] of an image of {tall} x {wide} "
            "px, so no mask fits it: name layers whose outputs are maps, channels first"
        )
    return shrink(mask, (height, width))


def over_places(losses: Sequence[Tensor], decay: float = 0.8) -> Tensor:
    """The rank-weighted mean of the losses (scalars) of all places; one place is its own mean.

    Example:
        >>> over_places([torch.tensor(1.0), torch.tensor(4.0)], 0.5)  # (4 + 1/2) / (1 + 1/2)
        tensor(3.)
    """
    return losses[0] if len(losses) == 1 else gwrp(torch.stack(list(losses)), decay)
