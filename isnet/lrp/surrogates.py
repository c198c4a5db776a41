r"""What runs instead of a function under the oracle: its value, with the derivative that the rules prescribe.

A function :math:`y = f(z)` is replaced by

.. math:: \tilde f(z) = y^* + s^* (z - z^*), \qquad s = \frac{f(z)}{z + \epsilon\,\mathrm{sign}(z)},

where a star marks constants. What counts as what:

- activations pass relevance on, up to what the stabiliser absorbs (Bach et al. 2015, eq. 58);
- a gate (sigmoid, hard sigmoid, a norm, a root) is a constant where it weighs a signal, which takes all, and nothing
  else can be done with it (Arras et al. 2019); a tanh is such a constant if it weighs a signal, else an activation;
- normalisations have a constant scale; batch normalisation has a constant mean too, the others keep theirs
  (arXiv 2402.05602, section 3.3);
- a product of two signals gives each half (arXiv 2402.05602, eq. 13), a quotient gives its numerator all.

Whatever has no definition keeps its own derivative, as linear functions, pooling and the softmax do; functions that
are known to need one and have none are refused, where relevance would pass them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Function = Callable[..., Any]
Definition = Callable[..., Any]
"""Called with the options, then as the function that it replaces."""


@dataclass(frozen=True)
class Options:
    """What definitions need to know.

    Attributes:
        eps: Stabiliser of activations.
        constant_softmax: Whether relevance ends at a softmax.
    """

    eps: float
    constant_softmax: bool


def depends(value: Any) -> bool:
    """Whether a tensor, or one in a list, depends on the explained input: weights require no gradient here."""
    if isinstance(value, (list, tuple)):
        return any(map(depends, value))
    return isinstance(value, Tensor) and value.requires_grad


def with_slope(y: Tensor, z: Tensor, slope: Tensor) -> Tensor:
    """The value of ``y`` with the derivative ``slope`` towards ``z``."""
    return y.detach() + slope.detach() * (z - z.detach())


GATE, EITHER, SIGNAL = 1, 2, 3
"""Strengths of a tensor: the strongest factor of a product takes all."""


def strength(value: Any) -> int:
    """How strong a tensor is, 0 if it does not depend on the explained input."""
    grade: int = getattr(value, "lrp_strength", SIGNAL) if depends(value) else 0
    return grade


def multiply(function: Function, *factors: Any) -> Tensor:
    """``function(*factors)``, multilinear: the strongest factor takes all, two of equal strength half each."""
    strongest = max(map(strength, factors))
    equals = sum(strength(factor) == strongest for factor in factors)
    if equals > 2:
        raise ValueError(f"a product of {equals} signals has no definition here")
    result: Tensor = function(*(factor.detach() if 0 < strength(factor) < strongest else factor for factor in factors))
    return result if equals < 2 else 0.5 * result + 0.5 * result.detach()


def refuse_at(result: Any, name: str) -> Any:
    """``result``, through which no relevance can pass: it may stand where none arrives, inside of a gate."""

    def refuse(g: Tensor) -> None:
        raise ValueError(f"relevance arrives at the function {name!r}, which has no definition in isnet.lrp.surrogates")

    for each in result if isinstance(result, (list, tuple)) else (result,):
        if depends(each):
            each.register_hook(refuse)
    return result


# -- activations and gates -------------------------------------------------------------------------------------------


def activation(function: Function) -> Definition:
    """The surrogate of an activation; the derivative at 0 is taken from below, as PyTorch does for a ReLU."""

    def run(options: Options, z: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        fixed = z.detach()
        near = torch.where(fixed == 0, -(torch.finfo(z.dtype).tiny ** 0.5), fixed)
        slope = function(near, *args, **kwargs) / (near + options.eps * near.sign())
        return with_slope(function(fixed, *args, **kwargs), z, slope)

    return run


def gate(function: Function) -> Definition:
    """The surrogate of a gate."""

    def run(options: Options, *args: Any, **kwargs: Any) -> Any:
        return refuse_at(function(*args, **kwargs), function.__name__)

    return run


def clamp(options: Options, z: Tensor, min: Any = None, max: Any = None) -> Tensor:  # noqa: A002
    """The surrogate of a clamp to a range that holds 0; without an upper bound, from 0, it is a ReLU."""
    if (min is not None and min > 0) or (max is not None and max < 0):
        raise ValueError(f"a clamp to [{min}, {max}] has no definition here: the range must hold 0")
    result: Tensor = activation(torch.clamp)(options, z, min, max)
    return result


def power(options: Options, u: Tensor, exponent: Any) -> Tensor:
    """``u^p = u^(p-1) * u``: the first factor is a constant, and no stabiliser acts. A root is a gate."""
    if isinstance(exponent, Tensor):
        raise ValueError("a power with a tensor as exponent has no definition here: give a number")
    result: Tensor = refuse_at(u**exponent, "pow") if exponent < 1 else u.detach() ** (exponent - 1) * u
    return result


# -- products ----------------------------------------------------------------------------------------------------------


def product(function: Function) -> Definition:
    """The surrogate of a product of two factors."""

    def run(options: Options, a: Any, b: Any) -> Tensor:
        return multiply(function, a, b)

    return run


def einsum(options: Options, equation: str, *operands: Any) -> Tensor:
    """The surrogate of a sum of products."""
    factors = operands[0] if isinstance(operands[0], (list, tuple)) else operands
    return multiply(lambda *each: torch.einsum(equation, *each), *factors)


def add_product(function: Function) -> Definition:
    """The surrogate of ``beta * total + alpha * function(a, b)``."""

    def run(options: Options, total: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        return beta * total + alpha * multiply(function, a, b)

    return run


def addcmul(options: Options, total: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    """The surrogate of ``total + value * a * b``."""
    return total + value * multiply(torch.mul, a, b)


def quotient(options: Options, a: Any, b: Any, *, rounding_mode: None = None) -> Any:
    """The surrogate of ``a / b``."""
    if rounding_mode is not None:
        raise ValueError(f"a division rounded by {rounding_mode!r} has no definition here")
    return a / (b.detach() if isinstance(b, Tensor) else b)


def reversed_quotient(options: Options, b: Tensor, a: Any) -> Any:
    """The surrogate of ``a / b``, called as a method of ``b``."""
    return a / b.detach()


def attention(
    options: Options,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    r"""``softmax(scale * q k^T + mask) v`` as two products, each of which halves."""
    if dropout_p or enable_gqa:
        raise ValueError("attention with dropout or grouped queries has no definition here")
    scores = multiply(torch.matmul, query, key.transpose(-1, -2))
    scores = scores * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros(attn_mask.shape, dtype=scores.dtype).masked_fill(~attn_mask, -torch.inf)
    shares = (scores if attn_mask is None else scores + attn_mask).softmax(-1)
    return multiply(torch.matmul, shares.detach() if options.constant_softmax else shares, value)


# -- normalisations ----------------------------------------------------------------------------------------------------


def per_channel(values: Tensor, like: Tensor) -> Tensor:
    """``values`` ``[C]`` shaped for ``like`` ``[B, C, ...]``."""
    return values.view(1, -1, *(1,) * (like.dim() - 2))


def affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """``weight * y + bias``."""
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def batch_norm(
    options: Options,
    x: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Mean and variance are constants; in training those of the batch, and no running statistics move."""
    mean, var = running_mean, running_var
    if training or mean is None or var is None:
        fixed = x.detach().transpose(0, 1).flatten(1)
        mean, var = fixed.mean(1), fixed.var(1, correction=0)
    y = (x - per_channel(mean, x)) / per_channel((var + eps).sqrt(), x)
    return affine(y, *(None if each is None else per_channel(each, x) for each in (weight, bias)))


def centred(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    """``(x - mean) / std`` with a constant ``std``; the mean is part of the derivative."""
    std = (x.detach().var(dims, correction=0, keepdim=True) + eps).sqrt()
    return (x - x.mean(dims, keepdim=True)) / std


def layer_norm(
    options: Options,
    x: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """The last dimensions are centred and divided by a constant."""
    return affine(centred(x, tuple(range(-len(normalized_shape), 0)), eps), weight, bias)


def group_norm(
    options: Options,
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Each image's groups of channels are centred and divided by a constant."""
    y = centred(x.reshape(len(x), num_groups, -1), (-1,), eps).reshape(x.shape)
    return affine(y, *(None if each is None else per_channel(each, x) for each in (weight, bias)))


def rms_norm(
    options: Options, x: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """The last dimensions are divided by a constant."""
    dims = tuple(range(-len(normalized_shape), 0))
    square = x.detach().square().mean(dims, keepdim=True)
    return affine(x / (square + (torch.finfo(x.dtype).eps if eps is None else eps)).sqrt(), weight, None)


def normalize(
    options: Options, x: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: None = None
) -> Tensor:
    """Division by a constant norm."""
    length: Tensor = torch.linalg.vector_norm(x.detach(), p, dim, keepdim=True)
    return x / length.clamp_min(eps)


# -- the tables --------------------------------------------------------------------------------------------------------

ACTIVATIONS = frozenset(
    "relu relu6 hardtanh leaky_relu elu celu selu silu gelu mish hardswish tanh clamp clip clamp_min".split()  # noqa: SIM905
)
GATES = frozenset(
    "sigmoid hardsigmoid sqrt rsqrt reciprocal var std var_mean std_mean norm vector_norm linalg_vector_norm".split()  # noqa: SIM905
)
SHAPED_AS = frozenset({"expand_as", "reshape_as", "type_as", "view_as"})
"""Functions that read only the shape or type of their second argument."""

DEFINITIONS: dict[str, Definition] = {
    **{name: activation(getattr(functional, name)) for name in ACTIVATIONS if not name.startswith("cl")},
    **dict.fromkeys(("clamp", "clip", "clamp_min"), clamp),
    "pow": power,
    "square": lambda options, u: power(options, u, 2),
    **{name: gate(getattr(torch, name)) for name in GATES if hasattr(torch, name)},
    "hardsigmoid": gate(functional.hardsigmoid),
    **dict.fromkeys(("vector_norm", "linalg_vector_norm"), gate(torch.linalg.vector_norm)),
    **dict.fromkeys(("mul", "multiply", "rmul"), product(torch.mul)),
    **{name: product(getattr(torch, name)) for name in ("matmul", "mm", "bmm")},
    "rmatmul": lambda options, b, a: multiply(torch.matmul, a, b),
    **dict.fromkeys(("addmm", "baddbmm"), add_product(torch.matmul)),
    "addcmul": addcmul,
    "einsum": einsum,
    **dict.fromkeys(("div", "divide", "true_divide", "truediv"), quotient),
    **dict.fromkeys(("rtruediv", "rdiv"), reversed_quotient),
    "scaled_dot_product_attention": attention,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "rms_norm": rms_norm,
    "normalize": normalize,
}
"""What runs instead of a function, by its name without a trailing underscore and without an operator's underscores."""


def resulting_strength(name: str, arguments: list[Any], options: Options) -> int:
    """How strong the result of the function ``name`` is: as its strongest argument, where the function is linear."""
    if name in GATES:
        return GATE
    if name == "tanh" or (name == "softmax" and options.constant_softmax):
        return EITHER
    if name in ACTIVATIONS:
        return SIGNAL
    return max(map(strength, flat(arguments[:1] if name in SHAPED_AS else arguments)))


def flat(values: Any) -> Iterator[Any]:
    """What lists and tuples hold, at any depth."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


REFUSED = frozenset(
    """
    abs acos asin atan atan2 bilinear cos cosh cosine_similarity cumprod erf exp exp2 expm1 glu gru gumbel_softmax
    hardshrink instance_norm local_response_norm log log10 log1p log2 log_softmax log_sigmoid logsigmoid logsumexp lstm
    multi_head_attention_forward prelu prod rnn_relu rnn_tanh rrelu sin sinh softmin softplus softshrink softsign
    tan tanhshrink threshold
    """.split()  # noqa: SIM905
)
"""Functions that are neither linear nor defined here."""
