"""Which layer of a network is its last convolutional map: found from one forward pass, in any wrapper.

It is the last output of a module that

- is a map ``[B, C, h, w]`` behind some convolution, of at least ``GRID`` pixels a side,
- every way from the image to the logits goes through: no branch beside a residual connection, no attention score beside
  the map that it weighs, no network that only makes a mask.

The paper's choice is the last convolution, a map of 7 x 7 or 14 x 14 at 224 px. At 28 px the last map of most networks
is a single pixel, whose Grad-CAM is flat on every image, and 2 x 2 pixels say little more: hence ``GRID``. Where no map
is as large, the largest is taken.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd as Convolution

GRID = 7
"""Fewest pixels a side of the map."""


class Output(NamedTuple):
    """What one module returned: a tensor's shape, and the node of the graph that made it."""

    module: nn.Module
    shape: tuple[int, ...]
    node: Any
    convolved: bool


def last_map(model: nn.Module, image: Tensor) -> nn.Module:
    """The module whose output is the last convolutional map for images ``[B, C, H, W]``.

    Raises:
        NotImplementedError: If there is none, with the reason: a transformer, or no map of more than a pixel.
    """
    if any(hasattr(module, "num_heads") for module in model.modules()):
        raise NotImplementedError("a transformer: its tokens are no convolutional map")
    start = image.detach().clone().requires_grad_()
    with torch.enable_grad():
        outputs, logits = run(model, start)
    maps = [each for each in outputs if each.convolved and len(each.shape) == 4 and min(each.shape[2:]) > 1]
    through = [each for each in maps if every_way_passes(logits.grad_fn, each.node, start)]
    if not through:
        raise NotImplementedError("no convolutional map of more than one pixel that all logits are computed from")
    grid = min(GRID, max(min(each.shape[2:]) for each in through))
    found = [each for each in through if min(each.shape[2:]) >= grid][-1]
    later = outputs[outputs.index(found) + 1 :]
    if any(len(each.shape) == 3 and every_way_passes(logits.grad_fn, each.node, start) for each in later):
        raise NotImplementedError("a network of tokens: its last convolutional map is only what they are made of")
    return found.module


def run(model: nn.Module, image: Tensor) -> tuple[list[Output], Tensor]:
    """The last output of every module that depends on the image, in the order of the forward pass, and the logits."""
    outputs: dict[nn.Module, Output] = {}
    convolved = False

    def keep(module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal convolved
        convolved |= isinstance(module, Convolution)
        outputs.pop(module, None)  # a module that runs again moves to the end
        if isinstance(output, Tensor) and output.grad_fn is not None:
            outputs[module] = Output(module, tuple(output.shape), output.grad_fn, convolved)

    hooks = [module.register_forward_hook(keep) for module in model.modules()]
    try:
        logits: Tensor = model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return list(outputs.values()), logits


def every_way_passes(end: Any, node: Any, image: Tensor) -> bool:
    """Whether every way back from ``end`` to the image goes through ``node``, in the graph of autograd.

    ``end`` and ``node`` are nodes of that graph (``grad_fn``), the image is a leaf of it.
    """
    open_nodes, seen, met = [end], set(), False
    while open_nodes:
        current = open_nodes.pop()
        if current is None or current in seen:
            continue
        seen.add(current)
        if current is node:
            met = True
            continue
        if getattr(current, "variable", None) is image:  # reached on a way around the node
            return False
        open_nodes += [before for before, _ in current.next_functions]
    return met
