"""The one door to timm: a classifier from a name."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType

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


def create_classifier(task: Task) -> nn.Module:
    """A timm model from random weights, drawn from torch's global generator (the caller seeds it).

    Args:
        task: Backbone name and shapes.

    Returns:
        A module ``[B, C, H, W] -> [B, K]``.

    Raises:
        BenchmarkError: If timm has no such model, or the model cannot take images of this size.
    """
    timm = import_timm()
    if not timm.is_model(task.backbone):
        raise_unknown("backbone (timm model)", task.backbone, timm.list_models())
    model: nn.Module = timm.create_model(task.backbone, num_classes=task.classes, in_chans=task.channels)
    probe = torch.zeros(2, task.channels, task.height, task.width)
    try:
        with torch.no_grad():
            model.eval()(probe)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise BenchmarkError(
            f"backbone {task.backbone!r} cannot take images of {task.height} x {task.width} px",
            got=str(error).splitlines()[0],
            do="Choose another backbone in the method's YAML.",
        ) from error
    return model.train()
