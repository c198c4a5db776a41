"""The calls: :func:`relevance` on logits that are there, :func:`explain` on a model, :func:`record` hidden layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_args, overload

import torch
from torch import Tensor, nn

from isnet.lrp.composites import Composite, find_composite
from isnet.lrp.engine import Observer, UnsupportedNode, plan, walk
from isnet.lrp.input_rules import Box, First, InputRule
from isnet.lrp.names import named_nodes
from isnet.lrp.rules.base import Attention, BatchNorm, Settings

SMALLEST_EPS = 1e-3


@overload
def relevance(
    logits: Tensor,
    x: Tensor,
    target: Tensor | int,
    *,
    eps: float | None = ...,
    composite: str | Composite | None = ...,
    first: First = ...,
    box: Box = ...,
    bn: BatchNorm = ...,
    attention: Attention = ...,
    at: None = None,
    create_graph: bool = ...,
    observer: Observer | None = ...,
) -> Tensor: ...


@overload
def relevance(
    logits: Tensor,
    x: Tensor,
    target: Tensor | int,
    *,
    eps: float | None = ...,
    composite: str | Composite | None = ...,
    first: First = ...,
    box: Box = ...,
    bn: BatchNorm = ...,
    attention: Attention = ...,
    at: Sequence[Tensor],
    create_graph: bool = ...,
    observer: Observer | None = ...,
) -> tuple[Tensor, ...]: ...


def relevance(
    logits: Tensor,
    x: Tensor,
    target: Tensor | int,
    *,
    eps: float | None = None,
    composite: str | Composite | None = None,
    first: First = "epsilon",
    box: Box = (0.0, 1.0),
    bn: BatchNorm = "constant",
    attention: Attention = "attnlrp",
    at: Sequence[Tensor] | None = None,
    create_graph: bool = False,
    observer: Observer | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """LRP-epsilon heatmaps, from the graph of a forward that has already run.

    The stabiliser acts at activations; the last layer, pooling and sums behave as with epsilon 0 (LRP-Flex's choice,
    arXiv 2401.08409). Relevance is not conserved: biases and epsilon absorb their share, which
    :func:`isnet.lrp.ledger` books. The pass runs in float32 (or float64), also where the forward was autocast.

    Args:
        logits: ``[B, C]``, computed from ``x`` in this process, outside ``torch.no_grad`` and ``torch.compile``.
        x: ``[B, ...]`` the input, with ``requires_grad`` set before the forward.
        target: What is explained. One class for all images; ``[B]`` int64, a class an image; ``[B, K]`` int64,
            ``K`` maps an image; ``[B, C]`` or ``[B, K, C]`` floating point, weights of the logits (a one-hot row
            explains one logit), through which gradients flow. ``K`` maps cost far less in one call than in ``K``.
        eps: Stabiliser, ``None`` for the composite's own (1e-2, for zennit's presets 1e-6); 0 gives gradient x input
            for ReLU networks. Values in (0, 1e-3), and under a composite 0 too, are refused in float32 with
            ``create_graph``: second-order gradients grow as 1/eps and drown in rounding.
        composite: Rules of the linear layers: ``"epsilon"`` (also ``None``), ``"zplus"``, ``"alpha2_beta1"``,
            ``"gamma"``, ``"epsilon_plus"``, ``"epsilon_plus_flat"``, ``"epsilon_gamma_box"``, or a
            :class:`isnet.lrp.composites.Composite` of your own. All but the first need unfrozen parameters.
        first: Rule of the first convolution, see :mod:`isnet.lrp.input_rules`.
        box: Lowest and highest pixel value (after normalisation) for ``first="zb"``, a number or one a channel.
        bn: Batch statistics in training: see :class:`isnet.lrp.rules.base.Settings`.
        attention: ``"attnlrp"`` or ``"cp"``, see :mod:`isnet.lrp.rules.attention`.
        at: Hidden tensors of the same forward (:func:`record` catches them), which are explained too.
        create_graph: Whether a loss on the result is to be trained through.
        observer: Called after every node with the node, what arrived and what it passed on (one map only).

    Returns:
        Signed relevance in the shape of ``x``; with ``K`` maps ``[B, K, ...]``. With ``at``, a tuple: that of ``x``,
        then one a hidden tensor.

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
    layers, eps = find_composite(composite, eps)
    check(logits, x, eps, create_graph, layers is not None)
    for name, value, kind in (("first", first, First), ("bn", bn, BatchNorm), ("attention", attention, Attention)):
        if value not in get_args(kind):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(kind)))}, got {value!r}")
    if layers is None:
        settings, rule = Settings(eps, bn, attention), None if first == "epsilon" else InputRule(first, *box)
    elif bn == "native":
        raise ValueError("bn='native' has no weights that a composite could take apart: use 'constant'")
    else:  # the stabiliser acts in the layers, so activations pass everything
        settings, rule = Settings(0.0, bn, attention), layers.input_rule(first, box)
    way = plan(logits, x, at or (), settings)
    weights = start(logits, target)
    explained = (x, *(at or ()))

    def one_map(g: Tensor) -> tuple[Tensor, ...]:
        return walk(logits, g, explained, way, settings, rule, create_graph, observer, layers)

    if weights.dim() == 2:
        maps = one_map(weights)
    else:
        if observer is not None:
            raise ValueError("an observer follows one map: explain one class at a time")
        stacked: tuple[Tensor, ...] = torch.vmap(one_map, in_dims=1)(weights)
        maps = tuple(each.movedim(0, 1) for each in stacked)
    return maps[0] if at is None else maps


def check(logits: Tensor, x: Tensor, eps: float, create_graph: bool, divides: bool = False) -> None:
    """Refuses what cannot be explained; ``divides``: the rules divide by sums that may be 0.

    Raises:
        ValueError: Naming the argument.
    """
    if logits.dim() != 2:
        raise ValueError(f"logits must be [B, C], got {tuple(logits.shape)}: flatten what the model returns")
    if logits.grad_fn is None:
        raise ValueError(
            "logits have no graph: set x.requires_grad_() before the forward and run it outside torch.no_grad()"
        )
    if "Compiled" in logits.grad_fn.name():
        raise ValueError(
            "logits come from a compiled model, whose graph is closed and has no second backward: explain the "
            "uncompiled one (`model._orig_mod`)"
        )
    if not x.requires_grad:
        raise ValueError("x does not require grad: call x.requires_grad_() before the forward")
    if not eps >= 0:
        raise ValueError(f"eps must be 0 or positive, got {eps}")
    if create_graph and eps < SMALLEST_EPS and (divides or eps > 0) and logits.dtype != torch.float64:
        zero = "" if divides else "0 or "
        raise ValueError(
            f"eps = {eps} is too small to train through in float32: use {zero}at least {SMALLEST_EPS}, or float64"
        )


def start(logits: Tensor, target: Tensor | int) -> Tensor:
    """The weights of the explained logits, ``[B, C]`` or, for ``K`` maps, ``[B, K, C]``.

    Raises:
        ValueError: If the target is neither class indices nor weights of the logits.
    """
    images, classes = logits.shape
    dtype = torch.promote_types(logits.dtype, torch.float32)
    if isinstance(target, int):
        target = torch.full((images,), target, device=logits.device)
    if target.is_floating_point():
        if target.shape[-1:] != (classes,) or target.shape[0] != images or target.dim() not in (2, 3):
            raise ValueError(
                f"target must be int64 class indices or weights [{images}, {classes}] or [{images}, K, {classes}], "
                f"got {target.dtype} {tuple(target.shape)}"
            )
        return target.to(dtype)
    if target.dtype != torch.int64 or target.shape[:1] != (images,) or target.dim() not in (1, 2):
        raise ValueError(
            f"target must be int64 class indices [{images}] or [{images}, K], or floating-point weights "
            f"[{images}, {classes}] or [{images}, K, {classes}], got {target.dtype} {tuple(target.shape)}"
        )
    if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < classes:
        raise ValueError(f"target holds {int(target.min())} to {int(target.max())} but there are {classes} classes")
    zeros = torch.zeros(*target.shape, classes, dtype=dtype, device=logits.device)
    return zeros.scatter_(-1, target[..., None], 1.0)


def explain(model: nn.Module, x: Tensor, target: Tensor | int, **options: Any) -> Tensor:
    """Runs ``model`` on ``x`` and returns the heatmaps of ``target``; options as in :func:`relevance`.

    Raises:
        UnsupportedNode: If the network has an operation without a rule, naming its module.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> explain(net, torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 1])).shape
        torch.Size([3, 1, 2, 2])
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        try:
            result: Tensor = relevance(model(x), x, target, **options)
        except UnsupportedNode:
            with named_nodes(model) as names:  # a second time, to find out where
                logits = model(x)
            try:
                relevance(logits, x, target, **options)
            except UnsupportedNode as error:
                raise UnsupportedNode(error.node, error.reason, names.of(error.node, logits)) from None
            raise
    return result


def first_non_finite(model: nn.Module, x: Tensor, target: Tensor | int, **options: Any) -> str | None:
    """Where a heatmap first turns into NaN or infinity, on the way from the logits to the image.

    Returns:
        The module (or, outside of modules, the operation), or ``None`` if the map is finite.
    """
    bad: list[Any] = []

    def look(node: Any, arrived: Any, passed: Any) -> None:
        values = [value for value in (*arrived.values(), *passed) if value is not None]
        if not bad and not all(bool(torch.isfinite(value).all()) for value in values):
            bad.append(node)

    with torch.enable_grad(), named_nodes(model) as names:
        x = x.detach().requires_grad_()
        logits = model(x)
        if not bool(torch.isfinite(logits).all()):
            return "the logits themselves"
        relevance(logits, x, target, observer=look, **options)
    return (names.of(bad[0], logits) or bad[0].name()) if bad else None


@contextmanager
def record(model: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Keeps the outputs of the named modules of the forward that runs inside, for ``at``.

    Yields:
        Name -> output, filled by the forward; a module that runs twice keeps its last output.

    Raises:
        ValueError: If the model has no such module.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
        >>> x = torch.rand(1, 1, 4, 4, requires_grad=True)
        >>> with record(net, ["1"]) as hidden:
        ...     logits = net(x)
        >>> [tuple(R.shape) for R in relevance(logits, x, 0, at=list(hidden.values()))]
        [(1, 1, 4, 4), (1, 2, 2, 2)]
    """
    modules = dict(model.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        raise ValueError(f"the model has no module {unknown[0]!r}; it has {', '.join(filter(None, modules))}")
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            kept[name] = output

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()
