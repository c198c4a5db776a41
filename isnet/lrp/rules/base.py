r"""What a rule is, and which rule belongs to which node.

Rules are written for ``g`` with ``R = a * g`` at every tensor ``a``. For a linear map followed by a ReLU,
:math:`R_j = a_j \sum_k w_{jk} R_k / (z_k + \epsilon)`. Divided by :math:`a_j` this is the ordinary backward pass of the
linear map, in which the ReLU's step is replaced by :math:`y/(y+\epsilon)`. So linear nodes keep their own backward,
biases and :math:`\epsilon` absorb relevance, and only what is not linear needs a rule (Bach et al. 2015, eq. 56-58; the
form is that of LRP-Flex, arXiv 2401.08409, applied to graph nodes instead of modules).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Grads = tuple[Tensor | None, ...]
BatchNorm = Literal["constant", "batch_grad", "native"]
Attention = Literal["attnlrp", "cp"]


@dataclass(frozen=True)
class Settings:
    """What the rules need to know.

    Attributes:
        eps: Stabiliser; 0 gives gradient x input for ReLU networks.
        bn: Batch statistics: ``constant``; ``batch_grad``, constants of the map but part of its derivative;
            ``native``, PyTorch's batch-norm backward, in which the images of a batch leak into each other's maps.
        attention: ``attnlrp`` sends relevance through queries and keys too, ``cp`` through the values only.
    """

    eps: float
    bn: BatchNorm = "constant"
    attention: Attention = "attnlrp"


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the walk.

    Attributes:
        node: The autograd node.
        g: What arrived at its first output.
        reaches: For each input of the node, whether a path leads on to an explained tensor.
        relu: Of a batch norm, the ReLU behind it, if that has passed ``g`` on unchanged and left its share to the norm.
    """

    node: Any
    g: Tensor
    reaches: tuple[bool, ...]
    relu: Any = None

    @property
    def sizes(self) -> tuple[torch.Size | None, ...]:
        """For each input of the node, its shape, where autograd recorded one."""
        return tuple(shape_at(child, index) for child, index in self.node.next_functions)

    def saved(self, name: str) -> Any:
        """What the forward saved, in the precision of ``g``: the pass keeps float32 where the forward was autocast."""
        value = getattr(self.node, f"_saved_{name}")
        return value.to(self.g.dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


LEAF = "torch::autograd::AccumulateGrad"


def shape_at(node: Any, index: int) -> torch.Size | None:
    """The shape of the tensor whose gradient enters ``node`` at ``index``."""
    if node is None:
        return None
    if node.name() == LEAF:
        shape: torch.Size = node.variable.shape
        return shape
    return torch.Size(node._input_metadata[index].shape)


Rule = Callable[[Step, Settings], Grads]
RULES: dict[str, Rule] = {}

LINEAR = frozenset(
    """
    AddBackward0 AddBackward1 SubBackward0 SubBackward1 RsubBackward1 NegBackward0 MulBackward1 DivBackward1
    MeanBackward0 MeanBackward1 SumBackward0 SumBackward1 CumsumBackward0
    CloneBackward0 ToCopyBackward0 torch::autograd::CopyBackwards BackwardHookFunctionBackward NativeDropoutBackward0
    ViewBackward0 UnsafeViewBackward0 ReshapeAliasBackward0 AliasBackward0 ViewAsBackward0 AsStridedBackward0
    AsStridedBackward1 TBackward0 TransposeBackward0 PermuteBackward0 MovedimBackward0 ExpandBackward0 RepeatBackward0
    SqueezeBackward0 SqueezeBackward1 SqueezeBackward2 UnsqueezeBackward0
    SliceBackward0 SelectBackward0 NarrowBackward0 IndexBackward0 IndexSelectBackward0 GatherBackward0
    SplitBackward0 UnsafeSplitBackward0 SplitWithSizesBackward0
    UnbindBackward0 StackBackward0 FlipBackward0 RollBackward0
    ConstantPadNdBackward0 ReflectionPad2DBackward0 ReplicationPad2DBackward0
    AvgPool2DBackward0 AvgPool3DBackward0 AdaptiveAvgPool2DBackward0 AdaptiveAvgPool3DBackward0
    AdaptiveMaxPool2DBackward0 MaxPool2DWithIndicesBackward0 MaxPool3DWithIndicesBackward0
    MaxBackward0 AmaxBackward0 MaximumBackward0
    UpsampleNearest2DBackward0 UpsampleNearestExact2DBackward0 UpsampleBilinear2DBackward0 UpsampleBicubic2DBackward0
    PixelShuffleBackward0 PixelUnshuffleBackward0 UnfoldBackward0 Im2ColBackward0 Col2ImBackward0
    """.split()  # noqa: SIM905
)
"""Nodes that are linear in the explained input: native backward. A maximum is one once its winners are known, and in
overlapping pooling windows the relevance of a pixel that wins twice adds."""

GATES = frozenset(
    """
    SigmoidBackward0 HardsigmoidBackward0 TanhBackward0
    RsqrtBackward0 SqrtBackward0 ReciprocalBackward0 VarBackward0 VarBackward1 VarMeanBackward0 VarMeanBackward1
    StdBackward0 StdBackward1 LinalgVectorNormBackward0 NormBackward0 NormBackward1
    """.split()  # noqa: SIM905
)
"""Nodes that weigh a signal without being one, where their value ends up as a factor or a divisor: no relevance passes,
the signal that they weigh gets all of it (Arras et al. 2019, LRP for gated networks, "signal-take-all")."""

EITHER = frozenset({"TanhBackward0"})
"""Gates that are activations where they do not weigh anything stronger: in an LSTM's sigmoid(u) tanh(c) the signal."""

WEIGHED = frozenset({"MulBackward0", "AddcmulBackward0", "BmmBackward0", "MmBackward0", "BaddbmmBackward0"})
"""Where a gate meets what it weighs."""

BATCH_NORMS = frozenset({"NativeBatchNormBackward0", "CudnnBatchNormBackward0", "MiopenBatchNormBackward0"})

SOFTMAX = frozenset({"SoftmaxBackward0", "SafeSoftmaxBackward0"})


def gates(settings: Settings) -> frozenset[str]:
    """Where the walk ends under these settings."""
    return GATES | SOFTMAX if settings.attention == "cp" else GATES


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers a rule for the nodes of the given names."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register
