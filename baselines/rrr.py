r"""Right for the right reasons (RRR): the background must not move the log-probabilities, to first order.

.. math:: L = \mathrm{CE}(f(x), y) + \frac{\lambda}{B} \sum_n \sum_d
          \Big( (1 - M_{nd})\, \frac{\partial}{\partial x_{nd}} \sum_k \log p_k(x_n) \Big)^2

Source: Ross, Hughes and Doshi-Velez 2017 (arXiv 1703.03717), eq. 2, with the annotation ``A = 1 - M``. Deviations:

- Both terms are means over the batch, where the paper has sums: their ratio is the paper's.
- Weight decay, the paper's third term, is the optimizer's.
- The ISNet authors' comparison takes the batch *mean* of the log-probabilities inside the square, so that their
  penalty carries an additional ``1 / B**2`` and their ``lambda`` means something else in every batch size. Here the
  sum is differentiated, so the penalty of an image does not depend on how many others come with it.
- The paper's networks have no batch norm. With its ordinary backward (``statistics="batch"``, as in that comparison) a
  network hides its gradient in the statistics: after two epochs with ``lambda`` 0.01 the penalty was 3 in training, and
  107 of the same network and images at run time (mnist5k, test_resnet). ``"constant"`` penalises what is deployed (115
  there): it holds the statistics of the batch, at the cost of a second forward, and needs a smaller ``lambda``.
- With ``path``, both terms are taken at points between the image and another background (:mod:`isnet.path`): at the
  image itself a gradient is as blind to a mark that works by inhibition as a heatmap is.

At run time the network is an ordinary classifier.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import batch_norm, cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.overrides import TorchFunctionMode

from baselines.masks import PathOption, point_and_mask
from baselines.wrappers import before_wrapper
from benchmark.api import Batch, Method, Needs, Options

Statistics = Annotated[Literal["batch", "constant"], Field(description="of batch norm, in the penalty")]

BATCH_NORM = inspect.signature(batch_norm)


class RRR(Method):
    """Gradient penalty at the training images, or on the path from them to another background."""

    class Settings(Options):
        """The symbol of the paper in brackets."""

        penalty_weight: float = Field(1e-3, ge=0, description="[lambda]")
        statistics: Statistics = "batch"
        path: PathOption = "none"

    settings: Settings
    needs = Needs(masks=True)
    source = "Ross, Hughes and Doshi-Velez 2017, IJCAI (arXiv 1703.03717), eq. 2"

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        o = self.settings
        x, mask = point_and_mask(o.path, batch, rng)
        twice = o.statistics == "constant" and network.training and has_batch_norm(network)
        with torch.enable_grad():  # validation runs without gradients, but the penalty is one
            x = x.detach().requires_grad_()
            # Fused attention has no second backward.
            with (
                sdpa_kernel(SDPBackend.MATH),
                ConstantStatistics() if twice else nullcontext(),
                before_wrapper(network) as kept,
            ):
                explained = network(x)
            slope = input_gradient(kept[0], x, create_graph=network.training)
            logits = network(x.detach()) if twice else explained
        penalty = ((1 - mask) * slope).square().flatten(1).sum(1).mean()
        classification = cross_entropy(logits, batch.label)
        return {
            "loss": classification + o.penalty_weight * penalty,
            "classification_loss": classification,
            "gradient_penalty": penalty,
        }


class ConstantStatistics(TorchFunctionMode):
    """Batch norm in training normalises as usual inside, by constants: no gradient runs through its statistics.

    The running statistics stay as they are.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not batch_norm:
            return func(*args, **(kwargs or {}))
        call = BATCH_NORM.bind(*args, **(kwargs or {})).arguments
        if call["training"]:
            x = call["input"].detach()
            x = x.to(torch.promote_types(x.dtype, torch.float32))  # statistics are never of low precision
            variance, mean = torch.var_mean(x, [d for d in range(x.dim()) if d != 1], correction=0)
            call.update(running_mean=mean, running_var=variance, training=False)
        return batch_norm(**call)


def has_batch_norm(network: nn.Module) -> bool:
    """Whether any statistics of a batch are taken."""
    return any(isinstance(module, BatchNorm) for module in network.modules())


def input_gradient(logits: Tensor, x: Tensor, create_graph: bool) -> Tensor:
    """``d/dx sum_k log p_k`` of every image, ``[B, C, H, W]``, from logits ``[B, K]`` with their graph.

    The log-probabilities come from one log-softmax: the logarithm of a softmax is minus infinity where a
    probability rounds to 0.
    """
    # The graph must stay for the classification loss also where no second-order graph is wanted.
    (slope,) = torch.autograd.grad(logits.log_softmax(1).sum(), x, create_graph=create_graph, retain_graph=True)
    return slope
