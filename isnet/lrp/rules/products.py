"""Products and quotients: what weighs gets nothing, and two signals share the relevance of their product equally.

With ``z = a * b``, gradient x input would count ``z g`` twice; half each conserves it (AttnLRP, arXiv 2402.05602,
eq. 13).
Where one factor does not depend on the image, or only through a gate, the other one takes it all.
"""

from __future__ import annotations

from torch import Tensor

from isnet.lrp.rules.base import Grads, Settings, Step, rule


def shared(step: Step, first: int = 0) -> Tensor:
    """``g`` for each of the two factors, of which the first is the node's input number ``first``."""
    return step.g / 2 if step.reaches[first] and step.reaches[first + 1] else step.g


@rule("MulBackward0")
def product(step: Step, settings: Settings) -> Grads:
    g = shared(step) if len(step.reaches) > 1 else step.g
    names = ("other", "self")
    return tuple(g * step.saved(name) if hit else None for name, hit in zip(names, step.reaches, strict=False))


@rule("AddcmulBackward0")
def add_product(step: Step, settings: Settings) -> Grads:
    g = shared(step, 1) * step.saved("value")
    return (
        step.g,
        g * step.saved("tensor2") if step.reaches[1] else None,
        g * step.saved("tensor1") if step.reaches[2] else None,
    )


def matrix_product(step: Step, left: str, right: str, first: int = 0) -> tuple[Tensor | None, Tensor | None]:
    """``left @ right`` with the saved names of both factors."""
    g = shared(step, first)
    return (
        g @ step.saved(right).transpose(-1, -2) if step.reaches[first] else None,
        step.saved(left).transpose(-1, -2) @ g if step.reaches[first + 1] else None,
    )


@rule("MmBackward0", "BmmBackward0")
def matmul(step: Step, settings: Settings) -> Grads:
    return matrix_product(step, "self", "mat2")


def added(step: Step, factors: tuple[Tensor | None, Tensor | None]) -> Grads:
    """``beta * constant + alpha * left @ right``."""
    alpha = step.saved("alpha")
    left, right = (factor if factor is None or alpha == 1 else factor * alpha for factor in factors)
    return step.g * step.saved("beta") if step.reaches[0] else None, left, right


@rule("AddmmBackward0")
def add_matmul(step: Step, settings: Settings) -> Grads:
    return added(step, matrix_product(step, "mat1", "mat2", 1))


@rule("BaddbmmBackward0")
def add_batch_matmul(step: Step, settings: Settings) -> Grads:
    return added(step, matrix_product(step, "batch1", "batch2", 1))


@rule("DivBackward0")
def quotient(step: Step, settings: Settings) -> Grads:
    if not step.reaches[0]:
        raise ValueError("a constant divided by an explained tensor has no rule")
    return step.g / step.saved("other"), None
