r"""Grad-CAM that can be trained through: where a feature map speaks for a class.

.. math::
    w_c = \frac{1}{|A|} \sum_{ij} \frac{\partial f_y(x)}{\partial A_{cij}}, \qquad S = \sum_c w_c A_c, \qquad
    \mathrm{CAM} = \mathrm{up}\big(\mathrm{ReLU}(S)\big)

``A`` is a feature map, ``f_y`` the logit of a class, ``up`` bilinear to the size of the image. Source: Selvaraju et al.
2017 (arXiv 1610.02391), eq. 1-2.

``A`` is the deepest stage of at least ``grid`` pixels a side. At 224 px with ``grid`` 7 that is the last map, the
paper's choice. At 28 px the last map of most networks is a single pixel, whose map would be flat on every image.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import interpolate

from baselines.wrappers import full, unwrapped
from benchmark.api import Task
from benchmark.errors import BenchmarkError

Grid = Annotated[int, Field(ge=1, description="fewest pixels a side of the feature map")]


def of_label(score: Tensor, label: Tensor) -> Tensor:
    """The label's entry of each row: ``[B, K]``, ``[B]`` -> ``[B]``."""
    return score.gather(1, label[:, None])[:, 0]


def signed_map(logits: Tensor, features: Tensor, label: Tensor, create_graph: bool) -> Tensor:
    """``S`` of the label's logit, ``[B, 1, h, w]``: what speaks for the class is positive, what against it negative.

    Args:
        logits: ``[B, K]`` with their graph (:func:`baselines.wrappers.before_wrapper`).
        features: ``[B, C, h, w]``, a tensor of that graph.
        label: ``[B]`` class indices.
        create_graph: Whether the weights of the map depend on the network's, or are constants.
    """
    (slope,) = torch.autograd.grad(
        of_label(logits, label).sum(), features, create_graph=create_graph, retain_graph=True
    )
    weights = full(slope).mean((2, 3), keepdim=True)
    return (weights * full(features)).sum(1, keepdim=True)


def grad_cam(logits: Tensor, features: Tensor, label: Tensor, size: torch.Size, create_graph: bool) -> Tensor:
    """``CAM`` of the label's logit, ``[B, 1, *size]``, not negative; arguments as of :func:`signed_map`."""
    cam = signed_map(logits, features, label, create_graph).relu()
    return interpolate(cam, size, mode="bilinear", align_corners=False)


def run(network: nn.Module, x: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """The logits and, of the stages that timm lists in ``feature_info``, the deepest large enough one's output.

    Args:
        network: A timm network, perhaps wrapped.
        x: Images.
        grid: Fewest pixels a side.

    Returns:
        Logits ``[B, K]`` and a feature map ``[B, C, h, w]``.

    Raises:
        BenchmarkError: If the network lists no stages, or none is a map of that size.
    """
    plain = unwrapped(network)
    stages = getattr(plain, "feature_info", None)
    if not isinstance(stages, list):
        raise BenchmarkError(
            "Grad-CAM needs the stages of its network",
            got=f"{type(plain).__name__} without a list feature_info",
            expected="a timm network that lists its stages",
            do="Choose another backbone in the method's YAML.",
        )
    outputs: dict[str, Tensor] = {}
    hooks = [
        plain.get_submodule(stage["module"]).register_forward_hook(
            lambda _module, _inputs, output, name=stage["module"]: outputs.update({name: output})
        )
        for stage in stages
    ]
    try:
        logits = network(x)
    finally:
        for hook in hooks:
            hook.remove()
    maps = [channels_first(outputs[stage["module"]], stage["num_chs"]) for stage in stages]
    large = [a for a in maps if a is not None and min(a.shape[2:]) >= grid]
    if not large:
        raise BenchmarkError(
            f"Grad-CAM needs a feature map of {grid} pixels a side or more",
            got=[tuple(output.shape[1:]) for output in outputs.values()],
            do="Lower grid, or choose a convolutional backbone, in the method's YAML.",
        )
    return logits, large[-1]


def channels_first(output: Tensor, channels: int) -> Tensor | None:
    """A stage's output as ``[B, C, h, w]``, or ``None`` where it is not a map in space (a list of tokens)."""
    if output.ndim != 4:
        return None
    if output.shape[1] == channels:
        return output
    return output.permute(0, 3, 1, 2) if output.shape[3] == channels else None


def checked(network: nn.Module, task: Task, grid: int) -> nn.Module:
    """The network, left as it is, after a look at whether it has a map of that size on images of the task.

    Raises:
        BenchmarkError: If it has none.
    """
    training = network.training
    with torch.no_grad():
        run(network.eval(), torch.zeros(1, task.channels, task.height, task.width), grid)
    return network.train(training)
