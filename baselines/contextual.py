r"""Contextual decomposition of an ordinary forward: what a part of the input contributes to the output.

The model runs as it is, under a :class:`~torch.overrides.TorchFunctionMode`, on a batch of twice the size: the first
half holds :math:`\beta`, the contribution of the part, the second half the whole value :math:`s = \beta + \gamma`, so
that the second half of the output is the ordinary output. ReLU, and whatever is linear without a constant, acts on
both halves as it is. What does not has a rule here. Any other function raises an error that names it.

The rules are those of Singh, Murdoch and Yu 2019 (arXiv 1806.05337), section 3; :mod:`baselines.cdep` writes them down,
with that of batch norm, which is not theirs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, dropout, max_pool2d_with_indices
from torch.overrides import TorchFunctionMode

from benchmark.errors import BenchmarkError

STABILISER = 1e-6
"""Of the denominator of the shares of a constant."""

RESHAPES = frozenset({"flatten", "reshape", "view", "contiguous", "clone", "to", "float", "double", "half", "bfloat16"})
ON_EACH_HALF = RESHAPES | {"relu", "cat", "concat", "mean", "sum", "avg_pool2d", "adaptive_avg_pool2d"}
"""Names of functions that both halves pass as they are."""

BATCH_NORM = inspect.signature(batch_norm)
MAX_POOL = inspect.signature(max_pool2d_with_indices)
DROPOUT = inspect.signature(dropout)


def decompose(network: nn.Module, part: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The contribution of a part of the input, and the ordinary output.

    Args:
        network: ``[B, ...] -> [B, K]``, perhaps wrapped; training or evaluation.
        part: ``[B, ...]``, the input where it counts and 0 elsewhere.
        x: ``[B, ...]``, the input.

    Returns:
        ``beta`` and ``beta + gamma``, both ``[B, K]``.

    Raises:
        BenchmarkError: If the network calls a function that has no rule, naming it.
    """
    pair = torch.cat([part, x])
    pair.decomposed = True  # type: ignore[attr-defined]
    with Decomposed():
        output = network(pair)
    if not is_pair(output):
        refuse("something that hides its input")
    return halves(output)


def halves(pair: Tensor) -> tuple[Tensor, Tensor]:
    """``beta`` and ``s`` of a doubled batch."""
    return pair[: len(pair) // 2], pair[len(pair) // 2 :]


class Decomposed(TorchFunctionMode):
    """Functions of a doubled batch follow the rules; all others (of weights, of counters) run as they are."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(tensors([*args, *kwargs.values()]))
        if not any(map(is_pair, given)):
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func)).strip("_")
        if name in RULES:
            result = RULES[name](func, *args, **kwargs)
        else:
            result = func(*args, **kwargs)
            if not any(True for _ in tensors([result])):  # a shape, a number of dimensions
                return result
            images = isinstance(result, Tensor) and result.shape[:1] == given[0].shape[:1]
            if name not in ON_EACH_HALF or not all(map(is_pair, given)) or not images:
                refuse(name)
        result.decomposed = True  # type: ignore[attr-defined]
        return result


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors(each)


def is_pair(value: Any) -> bool:
    """Whether a tensor is a doubled batch."""
    return getattr(value, "decomposed", False)


def refuse(name: str) -> NoReturn:
    """Raises the error of a function that has no rule.

    Raises:
        BenchmarkError: Always.
    """
    raise BenchmarkError(
        "contextual decomposition has no rule for a function of the network",
        got=name,
        expected="convolutions, linear layers, batch norm, ReLU, pooling, sums and concatenations",
        do="Choose another backbone in the method's YAML: test_resnet, resnet18 and densenet121 work.",
    )


# -- rules: called with the function, then as the function -------------------------------------------------------------


def linear(
    func: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None = None, *a: Any, **k: Any
) -> Tensor:
    """A convolution or a linear layer; its constant is shared out."""
    beta, total = halves(func(x, weight, None, *a, **k))
    if bias is None:
        return torch.cat([beta, total])
    bias = bias.view(-1, *[1] * (beta.dim() - 2))
    return torch.cat([beta + share(beta, total - beta) * bias, total + bias])


def normalise(func: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """Batch norm of ``s`` as it is; for ``beta`` a scale and a shared shift, by statistics that are constants."""
    call = BATCH_NORM.bind(*args, **kwargs)
    call.apply_defaults()
    o = call.arguments
    beta, total = halves(o["input"])
    mean, variance = o["running_mean"], o["running_var"]
    if o["training"]:
        fixed = total.detach().to(torch.promote_types(total.dtype, torch.float32))
        variance, mean = torch.var_mean(fixed, [d for d in range(total.dim()) if d != 1], correction=0)
    scale = (variance + o["eps"]).rsqrt()
    if o["weight"] is not None:
        scale = scale * o["weight"]
    shift = -mean * scale
    if o["bias"] is not None:
        shift = shift + o["bias"]
    o["input"] = total
    whole = func(*call.args, **call.kwargs)
    shape = (-1, *[1] * (beta.dim() - 2))
    scale, shift = scale.view(shape), shift.view(shape)
    part = scale * beta
    return torch.cat([part + share(part, scale * (total - beta)) * shift, whole])


def add(func: Callable[..., Tensor], a: Any, b: Any, **kwargs: Any) -> Tensor:
    """The sum of two decomposed values; a constant would need to be shared out."""
    if not (is_pair(a) and is_pair(b)):
        refuse("add of a constant")
    return func(a, b, **kwargs)


def share(beta: Tensor, gamma: Tensor) -> Tensor:
    """The part of a constant that ``beta`` gets, in [0, 1)."""
    size = beta.abs()
    return size / (size + gamma.abs() + STABILISER)


def pool(func: Callable[..., Tensor], *args: Any, return_indices: bool = False, **kwargs: Any) -> Tensor:
    """Max pooling of ``s``; ``beta`` is taken from the same places."""
    if return_indices:
        refuse("max_pool2d with indices")
    o = MAX_POOL.bind(*args, **kwargs).arguments
    beta, total = halves(o.pop("input"))
    whole, place = max_pool2d_with_indices(total, **o)
    return torch.cat([beta.flatten(2).gather(2, place.flatten(2)).view_as(whole), whole])


def drop(func: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """Dropout of the same units of both halves."""
    o = DROPOUT.bind(*args, **kwargs).arguments
    x = o.pop("input")
    o["inplace"] = False
    keep: Tensor = dropout(torch.ones_like(halves(x)[0]), **o)
    result: Tensor = x * torch.cat([keep, keep])
    return result


RULES: dict[str, Callable[..., Tensor]] = {
    "conv1d": linear,
    "conv2d": linear,
    "linear": linear,
    "batch_norm": normalise,
    "add": add,
    "iadd": add,
    "max_pool2d": pool,
    "dropout": drop,
}
