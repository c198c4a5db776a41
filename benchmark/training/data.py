"""A subset of a biased pack on the device, cut into the batches that a method may see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmark.api import Batch, Needs
from benchmark.data.pack import check_images, images_from, read_columns


@dataclass(frozen=True)
class Tensors:
    """A subset as tensors.

    Attributes:
        image: uint8 ``[N, C, H, W]``.
        mask: uint8 ``[N, 1, H, W]``.
        label: int64 ``[N]``.
    """

    image: Tensor
    mask: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.label)

    def batch(self, rows: Tensor | slice, needs: Needs) -> Batch:
        """Float images in [0, 1], and the masks only for a method that declares them."""
        return Batch(
            image=self.image[rows].float().div_(255).contiguous(memory_format=torch.channels_last),
            label=self.label[rows],
            mask=self.mask[rows].float() if needs.masks else None,
        )


def load_tensors(pack: Path, subset: str, device: torch.device | str = "cpu") -> Tensors:
    """Reads one subset, checked."""
    columns, _ = read_columns(pack, subset)
    images = images_from(columns, f"{pack.name}/{subset}")
    check_images(images, f"{pack.name}/{subset}")
    return Tensors(
        image=torch.from_numpy(images.image).permute(0, 3, 1, 2).contiguous().to(device),
        mask=torch.from_numpy(images.mask)[:, None].to(device),
        label=torch.from_numpy(images.label).to(device),
    )


def shifted(batch: Batch, most: int, rng: torch.Generator) -> Batch:
    """Moves each image, with its mask, by up to ``most`` pixels; what enters at the border is black background."""
    if most == 0:
        return batch
    steps = torch.randint(-most, most + 1, (len(batch.label), 2), generator=rng).tolist()

    def move(stack: Tensor) -> Tensor:
        *_, height, width = stack.shape
        padded = torch.nn.functional.pad(stack, (most,) * 4)
        return torch.stack(
            [
                one[:, most + dy : most + dy + height, most + dx : most + dx + width]
                for one, (dy, dx) in zip(padded, steps, strict=True)
            ]
        )

    return Batch(move(batch.image), batch.label, None if batch.mask is None else move(batch.mask))
