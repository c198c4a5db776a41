r"""LRP-Flex's formula, as hooks on the ReLU modules: the ISNet authors' mechanism, written anew as a peer.

.. math:: R = x \odot \frac{\partial^\epsilon z_c}{\partial x}, \quad
          \text{in which } y = \max(z, 0) \text{ passes } g\,\frac{y}{y + \epsilon} \text{ instead of } g\,[z > 0]

Source: arXiv 2401.08409, LRP-Flex. It covers networks whose only non-linearities are ``nn.ReLU`` modules, each used
once. In training it runs PyTorch's own batch-norm backward, whose batch statistics let images leak into each other's
maps; with running statistics it is the LRP-epsilon map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmark.errors import BenchmarkError


class FlexHooks:
    """Heatmaps of a network that gets its hooks here, for good; its ReLUs no longer work in place.

    Args:
        network: With ``nn.ReLU`` modules.
        eps: Stabiliser.

    Raises:
        BenchmarkError: If the network has no ReLU module: the map would silently be gradient x input.
    """

    def __init__(self, network: nn.Module, eps: float = 1e-2) -> None:
        self.network, self.eps = network, eps
        self.explaining = False
        self.outputs: dict[nn.Module, Tensor] = {}
        found = [module for module in network.modules() if isinstance(module, nn.ReLU)]
        if not found:
            raise BenchmarkError(
                f"{type(network).__name__} has no ReLU module to hook", expected="a network of nn.ReLU modules"
            )
        for module in found:
            module.inplace = False
            module.register_forward_hook(self.keep)
            module.register_full_backward_hook(self.rule)

    def keep(self, module: nn.Module, _: Any, y: Tensor) -> None:
        self.outputs[module] = y

    def rule(self, module: nn.Module, _: Any, g: tuple[Tensor, ...]) -> tuple[Tensor] | None:
        """Differentiable in ``g`` and in ``y``; leaves the ordinary backward pass alone."""
        if not self.explaining:
            return None
        y = self.outputs[module]
        return (g[0] * y / (y + self.eps),)

    def __call__(self, x: Tensor, target: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        """Logits ``[B, C]`` and the map ``[B, ...]`` of the logits ``target`` ``[B]``."""
        logits = self.network(x)
        self.explaining = True
        try:
            (g,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), x, create_graph=create_graph)
        finally:
            self.explaining = False
            self.outputs.clear()
        return logits, x * g
