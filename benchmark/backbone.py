"""The one door to timm: a classifier from a name."""

from __future__ import annotations

import json
import sys
import warnings
from types import ModuleType
from typing import Any

import torch
from torch import nn

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
    name, arguments = parse(task.backbone)
    if not timm.is_model(name):
        raise_unknown("backbone (timm model)", name, timm.list_models())
    if timm.get_pretrained_cfg_value(name, "fixed_input_size"):
        arguments.setdefault("img_size", (task.height, task.width))
    probe = torch.zeros(2, task.channels, task.height, task.width)
    try:
        model: nn.Module = timm.create_model(name, num_classes=task.classes, in_chans=task.channels, **arguments)
        with torch.no_grad():
            model.eval()(probe)
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise BenchmarkError(
            f"backbone {task.backbone!r} cannot take images of {task.height} x {task.width} px",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            do="Choose another backbone, or other arguments behind its name (patch_size=4), in the method's YAML.",
        ) from error
    return model.train()
