r"""Where the relevance of a logit went: to the image, to biases, to the stabiliser.

.. math:: f_k(x) = \sum_j R_j + \underbrace{\sum_n b_n g_n}_{\text{biases}}
                   + \underbrace{\epsilon \sum_m \operatorname{sgn}(z_m)\, g_m}_{\text{stabiliser}}
                   + \underbrace{\sum \big(A g_A - \ell g_\ell\big)}_{\text{softmax}}

The books close to rounding, which proves a heatmap without an assumption that biases do not exist: on a DenseNet121 in
training mode a logit of 0.5 can be an input's -26 and the biases' +27, and the sum of a heatmap says nothing alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.api import relevance, start
from isnet.lrp.engine import plan
from isnet.lrp.input_rules import bias_of
from isnet.lrp.kernels import channel_view
from isnet.lrp.rules import LINEAR, Settings, Step
from isnet.lrp.rules.activations import RATIOS
from isnet.lrp.rules.attention import FUSED, attention_scale, attention_weights
from isnet.lrp.rules.base import BATCH_NORMS, LEAF, SOFTMAX, Attention, BatchNorm, Grads
from isnet.lrp.rules.norms import batch_norm_affine

STABILISED = {
    "ReluBackward0", "ClampBackward1", "ClampMinBackward0", "TanhBackward0", "LeakyReluBackward1", "EluBackward1",
    *RATIOS,
}  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """Sums over the batch.

    Attributes:
        logit: What was to be explained.
        input: Relevance of the image.
        bias: Of biases, of normalisations' shifts, and of other parameters that are added (position embeddings).
        epsilon: Absorbed by the stabiliser; the saturation of a ReLU6 is not, since it passes relevance on.
        softmax: Attention's softmax is not linear: what its first-order term leaves.
    """

    logit: float
    input: float
    bias: float
    epsilon: float
    softmax: float

    @property
    def gap(self) -> float:
        """What is not accounted for, as a fraction of the largest entry; rounding when all is well.

        A constant that is no parameter (a mean subtracted inside of the model) leaves a gap: nobody recorded its value.
        """
        entries = (self.logit, self.input, self.bias, self.epsilon, self.softmax)
        return abs(self.logit - sum(entries[1:])) / max(map(abs, entries))


def ledger(
    logits: Tensor,
    x: Tensor,
    target: Tensor | int,
    *,
    eps: float = 1e-2,
    bn: BatchNorm = "constant",
    attention: Attention = "attnlrp",
) -> Ledger:
    """Books the relevance of one map an image; arguments as in :func:`isnet.lrp.relevance`.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
        >>> x = torch.rand(3, 1, 2, 2, requires_grad=True)
        >>> ledger(net(x), x, 1).gap < 1e-6
        True
    """
    settings = Settings(eps, bn, attention)
    books = {"bias": 0.0, "epsilon": 0.0, "softmax": 0.0}
    members = plan(logits, x, (), settings).members

    def book(node: Any, arrived: Mapping[int, Tensor], passed: Grads) -> None:
        for account, share in shares(node, arrived, passed, members, settings):
            books[account] += share

    heatmap = relevance(logits, x, target, eps=eps, bn=bn, attention=attention, observer=book)
    explained = float((logits.detach() * start(logits, target)).sum())
    return Ledger(explained, float(heatmap.sum()), **books)


def shares(
    node: Any, arrived: Mapping[int, Tensor], passed: Grads, members: frozenset[Any], settings: Settings
) -> list[tuple[str, float]]:
    """What one node keeps, by account: the relevance at its output less that at its inputs."""
    name, g = node.name(), arrived[min(arrived)].detach()
    step = Step(node, g, ())
    if name in STABILISED:
        # With g_z = g_y (f/z) |z|/(|z| + eps), y g_y - z g_z = eps sgn(z) g_z; the result has the sign of its input.
        z = step.saved("result") if hasattr(node, "_saved_result") else step.saved("self")
        return [("epsilon", settings.eps * total(torch.sign(z) * kept(passed[0])))]
    if name in BATCH_NORMS:
        x, beta = step.saved("input"), bias_of(node)
        scale, mean = batch_norm_affine(node, settings, g.dtype)
        y = (x - channel_view(mean, x)) * channel_view(scale, x) + (0 if beta is None else channel_view(beta, x))
        return [("bias", total(y * g) - total(x * kept(passed[0])))]
    if name in SOFTMAX:
        weights = step.saved("result")
        return [("softmax", total(weights * g) - total(torch.where(weights > 0, weights.log(), 0) * kept(passed[0])))]
    if name in FUSED:
        inputs = [step.saved(part) for part in ("query", "key", "value")]
        out = attention_weights(step, attention_scale(step)) @ inputs[2]
        rest = sum(total(a * kept(r)) for a, r in zip(inputs, passed, strict=False) if r is not None)
        return [("softmax", total(out * g) - rest)]
    if name in ("ConvolutionBackward0", "NativeGroupNormBackward0"):
        bias = bias_of(node)
        return [] if bias is None else [("bias", total(channel_view(bias, g) * g))]
    if name in ("NativeLayerNormBackward0", "LinearBackward0"):
        bias = bias_of(node)
        return [] if bias is None else [("bias", total(bias * g))]
    constants = [
        (child, index, value)
        for (child, index), value in zip(node.next_functions, added(node, g, passed), strict=False)
        if value is not None and child is not None and child not in members
    ]
    return [("bias", constant(child, index, value.detach())) for child, index, value in constants]


def added(node: Any, g: Tensor, passed: Grads) -> Grads:
    """What arrives at the inputs of a node that adds."""
    name = node.name()
    if name in ("AddmmBackward0", "BaddbmmBackward0"):
        return (g * node._saved_beta,)
    return passed if name in LINEAR or name == "CatBackward0" else passed[:1] if name == "AddcmulBackward0" else ()


def constant(node: Any, index: int, g: Tensor) -> float:
    """The relevance of an added tensor that does not depend on the image, taken to the parameters that it is made of.

    Exact where it is a linear function of them (a parameter, its expansion, a table of it); otherwise a gap.
    """
    if node is None:
        return 0.0
    if node.name() == LEAF:
        return total(node.variable * g.sum_to_size(node.variable.shape))
    if node.name() not in LINEAR and node.name() != "CatBackward0":
        return 0.0
    shape = node._input_metadata[index].shape
    g = g if g.shape == shape else g.sum_to_size(shape)
    outputs: list[Tensor | None] = [None] * len(node._input_metadata)
    outputs[index] = g
    passed = node(*outputs)
    passed = passed if isinstance(passed, tuple) else (passed,)
    return sum(
        constant(child, number, value)
        for (child, number), value in zip(node.next_functions, passed, strict=False)
        if value is not None
    )


def kept(value: Tensor | None) -> Tensor:
    """What was passed on, where something was."""
    return torch.zeros(()) if value is None else value.detach()


def total(product: Tensor) -> float:
    """The sum of all entries."""
    return float(product.detach().sum(dtype=torch.float64))
