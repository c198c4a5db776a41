"""The one door to timm: a classifier, a feature map or a U-Net from a name."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.api import Task
from benchmark.errors import BenchmarkError, raise_unknown

_library: torch.library.Library | None = None


def import_timm() -> ModuleType:
    """Imports timm, also beside a torch for which the installed torchvision was not built.

    PyPI's torchvision is compiled against CUDA; beside PyTorch's CPU build its extension does not load, and its
    import then fails on the operator ``nms`` that it wants to describe. Nothing here uses that operator, so
    declaring its name is enough.
    """
    global _library
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's note that its image reader is missing
        try:
            import torchvision  # noqa: F401
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
            _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
            for operator in ("nms", "qnms"):
                schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                _library.define(schema)  # type: ignore[no-untyped-call]
        import timm
    return timm


def parse(backbone: str) -> tuple[str, dict[str, Any]]:
    """A backbone's timm name and the arguments behind it: ``"test_vit patch_size=4"`` is a ViT of 4 x 4 px patches.

    Raises:
        BenchmarkError: If an argument is not ``name=value``, with a number, ``true``, ``false`` or a JSON string.
    """
    name, *pairs = backbone.split()
    try:
        return name, {key: json.loads(value) for key, value in (pair.split("=") for pair in pairs)}
    except ValueError as error:
        raise BenchmarkError(
            "arguments of the backbone", got=backbone, expected="'<timm name> <argument>=<value> ...'"
        ) from error


def create_classifier(task: Task) -> nn.Module:
    """A timm model from random weights, drawn from torch's global generator (the caller seeds it).

    A model that is made for one image size (``fixed_input_size`` in timm's configuration: the transformers) is made for
    the task's.

    Args:
        task: Backbone name, with arguments for timm's constructor behind it (:func:`parse`), and shapes.

    Returns:
        A module ``[B, C, H, W] -> [B, K]``.

    Raises:
        BenchmarkError: If timm has no such model, or the model cannot take images of this size or these arguments.
    """
    timm = import_timm()
    name, arguments = known(task)
    with told(f"backbone {task.backbone!r} cannot take images of {task.height} x {task.width} px"):
        model: nn.Module = timm.create_model(name, num_classes=task.classes, in_chans=task.channels, **arguments)
        probe(model, task)
    return model.train()


def create_unet(task: Task, classes: int = 0, depth: int = 5, width: int = 256) -> nn.Module:
    """A U-Net (Ronneberger et al. 2015) whose contracting path is a timm network, with random weights.

    A stage of the decoder is as wide as the encoder at the same resolution, within the limit of ``width``.

    Args:
        task: Backbone name and shapes; ``task.classes`` is not used.
        classes: Of a head on the deepest feature map (average pool, linear layer); 0 for none.
        depth: Number of times that the encoder halves the image, 1 to 5.
        width: Most channels of a decoder stage at a 16th of the image's resolution; half as many at the double one, and
            so on.

    Returns:
        A module ``[B, C, H, W] -> [B, 1, H, W]``, logits of the mask; with ``classes`` a pair of them and of logits
        ``[B, classes]``. It has the parts ``encoder`` (images -> list of maps, the deepest last), ``decoder``,
        ``segmentation_head`` and ``classification_head``.

    Raises:
        BenchmarkError: If timm has no such model, or it cannot be the encoder of a U-Net for images of this size.
    """
    import_timm()  # first: it knows how to import torchvision, which the library imports, too
    import segmentation_models_pytorch as smp

    name, arguments = known(task)
    with told(f"backbone {task.backbone!r} cannot encode images of {task.height} x {task.width} px for a U-Net"):
        shared: dict[str, Any] = {"in_channels": task.channels, "depth": depth, **arguments}
        widths = smp.encoders.get_encoder(f"tu-{name}", weights=None, **shared).out_channels
        del shared["depth"]
        limits = [max(1, width // 2**halving) for halving in range(5)][-depth:]
        # A transformer has no map of half the image's size: the library says 0 channels.
        beside = [own or limit for own, limit in zip([*widths[-2:0:-1], 0], limits, strict=True)]
        model: nn.Module = smp.Unet(
            f"tu-{name}",
            encoder_depth=depth,
            encoder_weights=None,
            decoder_channels=[min(limit, own) for limit, own in zip(limits, beside, strict=True)],
            aux_params={"classes": classes, "dropout": None} if classes else None,
            **shared,
        )
        probe(model, task)
    return model.train()


class Encoder(nn.Module):
    """One feature map of a timm network whose deeper layers are left out: ``[B, C, H, W] -> [B, channels, h, w]``."""

    def __init__(self, stages: nn.Module, channels: int, channels_last: bool) -> None:
        super().__init__()
        self.stages, self.channels, self.channels_last = stages, channels, channels_last

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.stages(x)[-1]
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def create_encoder(task: Task, grid: int) -> Encoder:
    """A timm network down to its deepest feature map of at least ``grid`` pixels a side, with random weights.

    Raises:
        BenchmarkError: If timm has no such model, or it has no such map for images of this size.
    """
    timm = import_timm()
    name, arguments = known(task)
    with told(f"backbone {task.backbone!r} gives no feature maps of images of {task.height} x {task.width} px"):
        shared: dict[str, Any] = {"features_only": True, "in_chans": task.channels, **arguments}
        whole = timm.create_model(name, **shared)
        last = getattr(whole, "output_fmt", "NCHW") == "NHWC"
        shapes = [tuple(each.shape[1:3] if last else each.shape[2:4]) for each in probe(whole, task)]
        large = [index for index, shape in enumerate(shapes) if min(shape) >= grid]
        if not large:
            raise BenchmarkError(
                f"backbone {task.backbone!r} has no feature map of {grid} pixels a side or more",
                got=shapes,
                do="Lower grid, or choose another backbone, in the method's YAML.",
            )
        index = whole.feature_info.out_indices[large[-1]]
        stages = timm.create_model(name, out_indices=(index,), **shared)
    return Encoder(stages, stages.feature_info.channels()[-1], last).train()


def known(task: Task) -> tuple[str, dict[str, Any]]:
    """The backbone's timm name and the arguments of its constructor.

    Raises:
        BenchmarkError: If timm has no such model.
    """
    timm = import_timm()
    name, arguments = parse(task.backbone)
    if not timm.is_model(name):
        raise_unknown("backbone (timm model)", name, timm.list_models())
    if timm.get_pretrained_cfg_value(name, "fixed_input_size"):
        arguments.setdefault("img_size", (task.height, task.width))
    return name, arguments


def probe(model: nn.Module, task: Task) -> Any:
    """What the model says of two black images of the task's size."""
    with torch.no_grad():
        return model.eval()(torch.zeros(2, task.channels, task.height, task.width))


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turns what timm raises into a sentence for who wrote the YAML."""
    try:
        yield
    except BenchmarkError:
        raise
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise BenchmarkError(
            what,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            do="Choose another backbone, or other arguments behind its name (patch_size=4), in the method's YAML.",
        ) from error
