"""The same heatmap by another road, to verify the engine on a model of your own.

The model runs under a :class:`~torch.overrides.TorchFunctionMode` that leaves every value as it is and prescribes
derivatives (:mod:`isnet.lrp.surrogates` says which). The plain gradient of this surrogate network times its input is
the LRP-epsilon map: autograd does what :mod:`isnet.lrp.engine` does on the recorded graph. The two share no code.
This one sees calls of functions and divides values, the engine sees graph nodes and uses closed forms.

The map cannot be trained through, the first layer follows the epsilon rule, and a copy of the model is made for each
call: it is for verification.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import disable_saved_tensors_hooks as without_checkpoints
from torch.overrides import TorchFunctionMode

from isnet.lrp.surrogates import DEFINITIONS, REFUSED, Options, depends, flat, refuse_at, resulting_strength

CHECKPOINTED = "the model uses gradient checkpointing, whose second forward would be an ordinary one: switch it off"
UNRECORDED = (
    "the model works on the explained input under torch.no_grad, in an autograd.Function or in reentrant "
    "checkpointing, where derivatives cannot be prescribed"
)
IN_PLACE_OPERATORS = frozenset({"imul", "imatmul", "itruediv", "idiv", "ipow"})


def relevance(
    model: nn.Module,
    x: Tensor,
    target: Tensor,
    *,
    eps: float = 1e-2,
    attention: Literal["attnlrp", "cp"] = "attnlrp",
) -> Tensor:
    """The LRP-epsilon heatmap of ``model`` at ``x``, without the engine.

    Use float64, where both roads agree to 1e-9; in float32 they round differently. Dropout draws anew in each
    forward: switch it off.

    Args:
        model: ``[B, ...] -> [B, C]``, in evaluation or training mode; it is left as it is, running statistics included.
        x: ``[B, ...]`` the explained input.
        target: int64 ``[B]`` class indices, or floating-point ``[B, C]`` weights of the logits.
        eps: Stabiliser, at least 0.
        attention: ``cp`` makes every softmax a constant.

    Returns:
        The relevance of ``x``, in its shape.

    Raises:
        ValueError: If an argument does not fit, naming it; if the model calls a function that has no definition, or
            works where derivatives cannot be prescribed.
        RuntimeError: If the model uses gradient checkpointing.

    Example:
        >>> from isnet import lrp
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(16, 2)).double()
        >>> x, target = torch.rand(2, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 1])
        >>> difference(lrp.explain(net, x, target), relevance(net, x, target)) < 1e-12
        True
    """
    if not eps >= 0:
        raise ValueError(f"eps must be 0 or positive, got {eps}")
    if attention not in ("attnlrp", "cp"):
        raise ValueError(f"attention must be 'attnlrp' or 'cp', got {attention!r}")
    frozen = frozen_copy(model)
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), without_checkpoints(CHECKPOINTED), Prescribed(Options(eps, attention == "cp")):
        logits = frozen(x)
    if not logits.requires_grad:
        raise ValueError("no relevance arrives at x: every path from the logits is cut")
    (g,) = torch.autograd.grad(logits, x, weights(logits, target))
    return x.detach() * g


def frozen_copy(model: nn.Module) -> nn.Module:
    """A copy of ``model`` in which nothing requires gradient, tensors that modules have kept of a forward included."""
    kept = {
        id(tensor): tensor.detach()
        for module in model.modules()
        for tensor in tensors_in(list(vars(module).values()))
        if not tensor.is_leaf
    }
    return copy.deepcopy(model, kept).requires_grad_(False)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(each)


def weights(logits: Tensor, target: Tensor) -> Tensor:
    """What the gradient starts with, ``[B, C]``.

    Raises:
        ValueError: If the target is neither class indices nor weights of the logits.
    """
    if target.is_floating_point() and target.shape == logits.shape:
        return target.to(logits.dtype)
    if target.dtype != torch.int64 or target.shape != logits.shape[:1]:
        raise ValueError(
            f"target must be int64 class indices {tuple(logits.shape[:1])} or floating-point weights "
            f"{tuple(logits.shape)}, got {target.dtype} {tuple(target.shape)}"
        )
    return nn.functional.one_hot(target, logits.shape[1]).to(logits.dtype)


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest deviation of ``found``, in units of the largest ``|expected|``.

    Raises:
        ValueError: If the shapes differ or ``expected`` is all zero, where no deviation is small.
    """
    if found.shape != expected.shape:
        raise ValueError(f"heatmaps of shapes {tuple(found.shape)} and {tuple(expected.shape)} cannot be compared")
    scale = expected.abs().max().item()
    if scale == 0:
        raise ValueError("the expected heatmap is all zero: nothing to compare with. Explain another class or input")
    return (found - expected).abs().max().item() / scale


class Prescribed(TorchFunctionMode):
    """Runs :data:`~isnet.lrp.surrogates.DEFINITIONS` for functions of a tensor that depends on the explained input.

    Functions go by name: a trailing underscore, an operator such as ``*=`` or ``inplace=True`` writes the result to the
    first argument.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        arguments = [*args, *kwargs.values()]
        if not depends(arguments):
            return func(*args, **kwargs)
        name, in_place = plain_name(getattr(func, "__name__", ""))
        grade = resulting_strength(name, arguments, self.options)
        if name in REFUSED:
            result = refuse_at(func(*args, **kwargs), name)
        elif name in DEFINITIONS:
            in_place |= bool(kwargs.pop("inplace", False))
            result = DEFINITIONS[name](self.options, *args, **kwargs)
            result = args[0].copy_(result) if in_place else result
        else:
            result = func(*args, **kwargs)
        for each in flat([result]):
            if isinstance(each, Tensor) and each.is_floating_point():
                if not torch.is_grad_enabled():
                    raise ValueError(UNRECORDED)
                each.lrp_strength = grade  # type: ignore[attr-defined]
        return result


def plain_name(name: str) -> tuple[str, bool]:
    """A function's name without marks of operators and of working in place, and whether it works in place.

    Example:
        >>> plain_name("relu_"), plain_name("__imul__"), plain_name("__mul__")
        (('relu', True), ('mul', True), ('mul', False))
    """
    if name.startswith("__") and name.endswith("__"):
        operator = name[2:-2]
        return (operator[1:], True) if operator in IN_PLACE_OPERATORS else (operator, False)
    return name.rstrip("_"), name.endswith("_")
