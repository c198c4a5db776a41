"""What a training computes with: device, precision, and copies to the device that the host does not wait for."""

from __future__ import annotations

import math

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmark.api import Method
from benchmark.config import Training

RESIDENT = 0.1
"""Largest share of a CUDA device's memory that one set of images may take; a larger one is streamed.

A tenth, because several trainings share a device and each holds up to three sets beside its network.
"""


def precision_of(settings: Training, method: Method) -> str:
    """``bf16`` or ``float32``: what the forward of the training's loss runs in.

    A method that is trained through an explainer keeps float32 whatever is asked: its one forward is that of the
    heatmap too, whose gradient to the weights loses its direction in bfloat16 (docs/isnet.md).
    """
    return "float32" if method.trained_through else settings.precision


def fabric_of(settings: Training, method: Method, accelerator: str = "auto", devices: int | list[int] = 1) -> Fabric:
    """One device in the asked precision; weights, optimizer, validation accuracy and predictions stay in float32."""
    mixed = precision_of(settings, method) == "bf16"
    return Fabric(accelerator=accelerator, devices=devices, precision="bf16-mixed" if mixed else "32-true")


def allow_tf32(allowed: bool) -> None:
    """Whether products and convolutions on CUDA may round their factors to TF32, which has 10 bits of fraction."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def resident_bytes(device: torch.device) -> float:
    """How large a set may be that lies on the device: no limit beside CUDA, where its memory is the host's."""
    if device.type != "cuda":
        return math.inf
    return RESIDENT * float(torch.cuda.get_device_properties(device).total_memory)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """The values on the device. From host to CUDA through pinned memory, so that nothing waits for the device."""
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)
