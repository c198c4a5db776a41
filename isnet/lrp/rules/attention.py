r"""Softmax and fused attention.

``attnlrp``: the softmax passes its gradient (the first-order Taylor term), and each of the two products
:math:`qk^T`, :math:`Av` halves: a quarter to queries and keys, half to values (arXiv 2402.05602, eq. 8-13).
``cp``: the attention weights are constants and all relevance goes to the values (Ali et al. 2022, ICML).
"""

from __future__ import annotations

import torch
from torch import Tensor

from isnet.lrp.rules.base import SOFTMAX, Grads, Settings, Step, rule

FUSED = tuple(
    f"ScaledDotProduct{kernel}Backward0"
    for kernel in (
        "FlashAttentionForCpu",
        "FlashAttention",
        "EfficientAttention",
        "CudnnAttention",
        "FusedAttentionOverrideable",
    )
)


def softmax_backward(weights: Tensor, g: Tensor, dim: int = -1) -> Tensor:
    result: Tensor = weights * (g - (weights * g).sum(dim, keepdim=True))
    return result


@rule(*SOFTMAX)
def softmax(step: Step, settings: Settings) -> Grads:
    return (softmax_backward(step.saved("result"), step.g, signed(step.node._saved_dim)),)


def signed(dim: int) -> int:
    """A dimension as autograd stores it: negative ones unsigned."""
    return dim - 2**64 if dim >= 2**63 else dim


def attention_scale(step: Step) -> float:
    """The factor of ``q k^T``: by default one over the root of their length."""
    scale = getattr(step.node, "_saved_scale", None)
    return float(step.node._saved_query.shape[-1] ** -0.5 if scale is None else scale)


def attention_weights(step: Step, scale: float) -> Tensor:
    """``softmax(scale * q k^T + mask)`` from what the fused kernel saved, ``[B, heads, queries, keys]``."""
    q, k = step.saved("query"), step.saved("key")
    scores = (q @ k.transpose(-1, -2)) * scale
    for name in ("attn_mask", "attn_bias"):
        mask = getattr(step.node, f"_saved_{name}", None)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    if step.node._saved_is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~allowed, -torch.inf)
    weights: Tensor = scores.softmax(-1)
    return weights


@rule(*FUSED)
def fused_attention(step: Step, settings: Settings) -> Grads:
    """Written out: the fused kernels have no second backward."""
    node = step.node
    q, k, v = (step.saved(name) for name in ("query", "key", "value"))
    if getattr(node, "_saved_dropout_p", 0):
        raise ValueError("attention with dropout hides which weights it dropped: set attn_drop to 0")
    if q.shape[1] != k.shape[1]:
        raise ValueError("grouped queries have no rule: repeat keys and values instead")
    scale = attention_scale(step)
    weights = attention_weights(step, scale)
    rest = (None,) * (len(node.next_functions) - 3)
    to_q, to_k, to_v = step.reaches[:3]
    weighs = settings.attention == "attnlrp" and (to_q or to_k)  # else the weights are constants
    g = step.g / 2 if weighs and to_v else step.g
    values = weights.transpose(-1, -2) @ g if to_v else None
    if not weighs:
        return None, None, values, *rest
    scores = softmax_backward(weights, g @ v.transpose(-1, -2)) * scale
    scores = scores / 2 if to_q and to_k else scores
    return scores @ k if to_q else None, scores.transpose(-1, -2) @ q if to_k else None, values, *rest
