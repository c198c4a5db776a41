"""The two calls: :func:`relevance` on logits that are there, :func:`explain` on a model."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from isnet.lrp.engine import walk
from isnet.lrp.input_rules import Box, InputRule
from isnet.lrp.rules import Settings

SMALLEST_EPS = 1e-3


def relevance(
    logits: Tensor,
    x: Tensor,
    target: Tensor,
    *,
    eps: float = 1e-2,
    first: Literal["epsilon", "zb"] = "epsilon",
    box: Box = (0.0, 1.0),
    create_graph: bool = False,
) -> Tensor:
    """LRP-epsilon heatmaps, from the graph of a forward that has already run.

    The stabiliser acts at ReLUs; the last layer, pooling and sums behave as with epsilon 0 (LRP-Flex's choice,
    arXiv 2401.08409). Relevance is not conserved: biases and epsilon absorb their share.

    Args:
        logits: ``[B, K]``, computed from ``x`` in this process, outside ``torch.no_grad`` and ``torch.compile``.
        x: ``[B, C, H, W]`` the input, with ``requires_grad`` set before the forward.
        target: ``[B]`` class indices, or ``[B, K]`` weights of the logits (a one-hot row explains one logit).
        eps: Stabiliser; 0 gives gradient x input. Values in (0, 1e-3) are refused in float32 with
            ``create_graph``: second-order gradients grow as 1/eps and drown in rounding.
        first: Rule of the first convolution.
        box: Lowest and highest pixel value (after normalisation) for ``first="zb"``, a number or one a channel.
        create_graph: Whether a loss on the result is to be trained through.

    Returns:
        ``[B, C, H, W]`` relevance, signed.

    Raises:
        ValueError: If an argument does not fit, naming it.
        UnsupportedNode: If the network has an operation without a rule.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> x = torch.ones(1, 1, 2, 2, requires_grad=True)
        >>> logits = net(x)
        >>> R = relevance(logits, x, torch.tensor([1]))
        >>> bool(torch.isclose(R.sum(), logits[0, 1]))  # no bias: all relevance arrives
        True
    """
    if logits.grad_fn is None:
        raise ValueError(
            "logits have no graph: set x.requires_grad_() before the forward and run it outside torch.no_grad()"
        )
    if not x.requires_grad:
        raise ValueError("x does not require grad: call x.requires_grad_() before the forward")
    if eps < 0:
        raise ValueError(f"eps must be 0 or positive, got {eps}")
    if create_graph and 0 < eps < SMALLEST_EPS and logits.dtype == torch.float32:
        raise ValueError(
            f"eps = {eps} is too small to train through in float32: use 0 or at least {SMALLEST_EPS}, or float64"
        )
    rule = InputRule(*box) if first == "zb" else None
    return walk(logits, start(logits, target), x, Settings(eps), rule, create_graph)


def start(logits: Tensor, target: Tensor) -> Tensor:
    """The weights of the explained logits, ``[B, K]``.

    Raises:
        ValueError: If the target is neither class indices nor weights of the logits' shape.
    """
    if target.shape == logits.shape:
        return target.to(logits.dtype)
    if target.dtype != torch.int64 or target.shape != logits.shape[:1]:
        raise ValueError(
            f"target must be int64 class indices {tuple(logits.shape[:1])} or weights {tuple(logits.shape)}, "
            f"got {target.dtype} {tuple(target.shape)}"
        )
    classes = logits.shape[1]
    if len(target) and not 0 <= int(target.min()) <= int(target.max()) < classes:
        raise ValueError(f"target holds {int(target.min())} to {int(target.max())} but there are {classes} classes")
    return torch.zeros_like(logits).scatter_(1, target[:, None], 1.0)


def explain(
    model: nn.Module,
    x: Tensor,
    target: Tensor,
    *,
    eps: float = 1e-2,
    first: Literal["epsilon", "zb"] = "epsilon",
    box: Box = (0.0, 1.0),
) -> Tensor:
    """Runs ``model`` on ``x`` and returns the heatmaps of ``target``; arguments as in :func:`relevance`.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> explain(net, torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 1])).shape
        torch.Size([3, 1, 2, 2])
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return relevance(model(x), x, target, eps=eps, first=first, box=box)
