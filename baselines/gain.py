r"""GAIN with mask supervision: Grad-CAM must cover the object, and nothing outside it may speak for the class.

.. math::
    w_c &= \frac{1}{|A|} \sum_{ij} \frac{\partial f_y(x)}{\partial A_{cij}}, \qquad
    \mathrm{CAM} = \mathrm{up}\Big(\mathrm{ReLU}\big(\sum_c w_c A_c\big)\Big) \\
    x^* &= x - x \odot \mathrm{sigmoid}\big(\omega (\mathrm{CAM} - \sigma)\big) \\
    L &= \mathrm{CE}(f(x), y) + \alpha\, p_y(x^*) + w\, \mathrm{MSE}(\mathrm{CAM}, M)

``A`` is a feature map, ``f_y`` the logit of the label, ``up`` bilinear to the size of the image, ``p`` the softmax.
The three terms are means over the batch (and over the pixels).

Source: Li, Wu, Peng, Ernst and Fu 2018, "Tell me where to look" (arXiv 1802.10171), eq. 1-6 (``GAIN_ext``), in the
form of the ISNet authors' comparison (arXiv 2202.00232): cross-entropy, ``p_y`` as the attention-mining score, the
map neither divided by its maximum nor otherwise normalised, and weights ``w_c`` that are constants, so that the map is
trained through the activations only. Deviations:

- ``double_backward`` differentiates ``w_c`` too: the gradient of the formula as it stands.
- ``A`` is the deepest stage of at least ``grid`` pixels a side. At 224 px with ``grid`` 7 that is the last map, the
  papers' choice. At 28 px the last map of most networks is a single pixel, whose map would be flat on every image.
- With ``path``, all terms are taken at points between the image and another background (:mod:`isnet.path`): where a
  mark has switched a unit off, its activation is 0 and the map shows nothing. The map does not sum to a difference of
  logits, so here, unlike with a gradient, the path comes without a bound.

- The second forward leaves batch norm's running statistics alone; in the authors' code it moves them. They would then
  be those of a mixture of images and masked images, which the deployed network never meets: cross-entropy was 0.05 in
  training and 1.3 in validation (mnist5k, third epoch).

The gradient behind ``w_c`` runs through the statistics of the batch, as in the authors' code. At run time the network
is an ordinary classifier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, mse_loss
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from benchmark.api import Batch, Method, Needs, Options
from benchmark.errors import BenchmarkError
from isnet.path import Kind, towards


class GAIN(Method):
    """Grad-CAM supervision at the training images, or on the path from them to another background."""

    class Settings(Options):
        """Symbols of the papers in brackets; defaults are those of the ISNet authors' comparison."""

        mining_weight: float = Field(1.0, ge=0, description="[alpha] of the label's probability without its region")
        mask_weight: float = Field(10.0, ge=0, description="[w] of the distance between map and mask")
        steepness: float = Field(10.0, gt=0, description="[omega] of the soft threshold")
        threshold: float = Field(0.5, description="[sigma] above it a pixel of the map is taken out of the image")
        grid: int = Field(7, ge=1, description="fewest pixels a side of the feature map")
        double_backward: bool = Field(False, description="train through the map's weights as well")
        path: Kind = Field("none", description="on the way to which background")

    settings: Settings
    needs = Needs(masks=True)
    source = "Li et al. 2018, CVPR (arXiv 1802.10171), eq. 1-6; with masks as in arXiv 2202.00232"

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        if batch.mask is None:
            raise BenchmarkError("masks of a GAIN batch", expected="masks", do="Set needs.masks on the method.")
        o = self.settings
        x = towards(o.path, batch.image, batch.mask, rng)
        with torch.enable_grad():  # validation runs without gradients, but a map's weights are one
            logits, features = run(network, x, o.grid)
            second_order = o.double_backward and network.training
            cam = grad_cam(logits, features, batch.label, x.shape[-2:], create_graph=second_order)
        with running_statistics_kept(network):
            without = network(taken_out(x, cam, o.steepness, o.threshold)).softmax(1)
        classification = cross_entropy(logits, batch.label)
        mining = of_label(without, batch.label).mean()
        distance = mse_loss(cam, batch.mask)
        return {
            "loss": classification + o.mining_weight * mining + o.mask_weight * distance,
            "classification_loss": classification,
            "mining_loss": mining,
            "mask_loss": distance,
        }


def of_label(score: Tensor, label: Tensor) -> Tensor:
    """The label's entry of each row: ``[B, K]``, ``[B]`` -> ``[B]``."""
    return score.gather(1, label[:, None])[:, 0]


def grad_cam(logits: Tensor, features: Tensor, label: Tensor, size: torch.Size, create_graph: bool) -> Tensor:
    """The map of the label's logit, ``[B, 1, *size]``, not negative (Selvaraju et al. 2017, eq. 1-2).

    Args:
        logits: ``[B, K]`` with their graph.
        features: ``[B, C, h, w]``, a tensor of that graph.
        label: ``[B]`` class indices.
        size: Of the image.
        create_graph: Whether the weights of the map depend on the network's, or are constants.
    """
    (slope,) = torch.autograd.grad(
        of_label(logits, label).sum(), features, create_graph=create_graph, retain_graph=True
    )
    weights = slope.mean((2, 3), keepdim=True)
    cam = (weights * features).sum(1, keepdim=True).relu()
    return interpolate(cam, size, mode="bilinear", align_corners=False)


def taken_out(x: Tensor, cam: Tensor, steepness: float, threshold: float) -> Tensor:
    """The image without the region of its map."""
    return x - x * torch.sigmoid(steepness * (cam - threshold))


@contextmanager
def running_statistics_kept(network: nn.Module) -> Iterator[None]:
    """Batch norm normalises as usual inside, but its running statistics stay as they are."""
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def run(network: nn.Module, x: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """The logits and, of the stages that timm lists in ``feature_info``, the deepest large enough one's output.

    Args:
        network: A timm network, perhaps wrapped.
        x: Images.
        grid: Fewest pixels a side.

    Returns:
        Logits ``[B, K]`` and a feature map ``[B, C, h, w]``.

    Raises:
        BenchmarkError: If the network lists no stages, or none is a map of that size.
    """
    plain = getattr(network, "module", network)  # as Fabric and data-parallel wrappers name what they wrap
    stages = getattr(plain, "feature_info", None)
    if not isinstance(stages, list):
        raise BenchmarkError(
            "Grad-CAM needs the stages of its network",
            got=f"{type(plain).__name__} without a list feature_info",
            expected="a timm network that lists its stages",
            do="Choose another backbone in the method's YAML.",
        )
    outputs: dict[str, Tensor] = {}
    hooks = [
        plain.get_submodule(stage["module"]).register_forward_hook(
            lambda _module, _inputs, output, name=stage["module"]: outputs.update({name: output})
        )
        for stage in stages
    ]
    try:
        logits = network(x)
    finally:
        for hook in hooks:
            hook.remove()
    maps = [channels_first(outputs[stage["module"]], stage["num_chs"]) for stage in stages]
    large = [a for a in maps if a is not None and min(a.shape[2:]) >= grid]
    if not large:
        raise BenchmarkError(
            f"Grad-CAM needs a feature map of {grid} pixels a side or more",
            got=[tuple(output.shape[1:]) for output in outputs.values()],
            do="Lower grid, or choose a convolutional backbone, in the method's YAML.",
        )
    return logits, large[-1]


def channels_first(output: Tensor, channels: int) -> Tensor | None:
    """A stage's output as ``[B, C, h, w]``, or ``None`` where it is not a map in space (a list of tokens)."""
    if output.ndim != 4:
        return None
    if output.shape[1] == channels:
        return output
    return output.permute(0, 3, 1, 2) if output.shape[3] == channels else None
