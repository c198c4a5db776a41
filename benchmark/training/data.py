"""A subset of a biased pack on the device, cut into the batches that a method may see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.api import Batch, Data, Images, Needs
from benchmark.data.pack import groups, images_from, names_of, read_columns
from benchmark.data.rules import check_images
from benchmark.errors import BenchmarkError

BALANCED = "balanced"
"""The group of a biased pack in which the bias says nothing."""


@dataclass(frozen=True)
class Tensors:
    """A subset as tensors.

    Attributes:
        image: uint8 ``[N, C, H, W]``.
        mask: uint8 ``[N, 1, H, W]``.
        label: int64 ``[N]``.
        code: int64 ``[N]``, the class whose mark an image carries, -1 without one.
    """

    image: Tensor
    mask: Tensor
    label: Tensor
    code: Tensor

    def __len__(self) -> int:
        return len(self.label)

    def batch(self, rows: Tensor | slice, needs: Needs) -> Batch:
        """Float images in [0, 1], and of the rest only what a method declares."""
        place = torch.arange(len(self), device=self.label.device)[rows] if isinstance(rows, slice) else rows
        return Batch(
            image=self.image[rows].float().div_(255).contiguous(memory_format=torch.channels_last),
            label=self.label[rows],
            mask=self.mask[rows].float() if needs.masks or needs.mask_at_test else None,
            code=self.code[rows] if needs.groups else None,
            row=place,
        )


@dataclass(frozen=True)
class Seen:
    """A subset as a method sees it: :class:`benchmark.api.Examples`."""

    tensors: Tensors
    needs: Needs

    def __len__(self) -> int:
        return len(self.tensors)

    def batches(self, size: int = 256) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            yield self.tensors.batch(slice(start, start + size), self.needs)


@dataclass(frozen=True)
class Sets:
    """What the harness trains and selects on.

    Attributes:
        train: Training images.
        val: Validation images, with the training's bias.
        balanced: The validation images with marks that say nothing; ``None`` unless a method needs them.
    """

    train: Tensors
    val: Tensors
    balanced: Tensors | None = None

    def seen(self, needs: Needs) -> Data:
        """The sets as a method with these needs may look at them."""
        balanced = Seen(self.balanced, needs) if needs.balanced and self.balanced is not None else None
        return Data(Seen(self.train, needs), Seen(self.val, needs), balanced)


def logits_of(model: nn.Module, image: Tensor, mask: Tensor | None, needs: Needs) -> Tensor:
    """What a deployed module says: of the images alone, or with the masks where its method declares that."""
    result: Tensor = model(image, mask) if needs.mask_at_test else model(image)
    return result


def all_logits(model: nn.Module, tensors: Tensors, needs: Needs, size: int = 256) -> Tensor:
    """What a deployed module says of every image, ``[N, K]``, in order; its mode is the caller's."""
    batches = zip(torch.split(tensors.image, size), torch.split(tensors.mask, size), strict=True)
    with torch.no_grad():
        return torch.cat([logits_of(model, image.float() / 255, mask.float(), needs) for image, mask in batches])


def load_tensors(pack: Path, subset: str, device: torch.device | str = "cpu") -> Tensors:
    """Reads one subset, checked."""
    columns, _ = read_columns(pack, subset, (*names_of(Images), "code"))
    images = images_from(columns, f"{pack.name}/{subset}")
    check_images(images, f"{pack.name}/{subset}")
    return Tensors(
        image=torch.from_numpy(images.image).permute(0, 3, 1, 2).contiguous().to(device),
        mask=torch.from_numpy(images.mask)[:, None].to(device),
        label=torch.from_numpy(images.label).to(device),
        code=torch.from_numpy(columns["code"]).to(device),
    )


def load_sets(pack: Path, needs: Needs, device: torch.device | str = "cpu") -> Sets:
    """The sets that a method with these needs is trained on.

    Raises:
        BenchmarkError: If a set that it needs is not in the pack.
    """
    if needs.balanced and BALANCED not in groups(pack):
        raise BenchmarkError(
            f"group {BALANCED!r} of pack {pack} is missing",
            got=", ".join(groups(pack)),
            expected="a set without bias, which this method needs",
            do="Run `dvc repro`: the stage inject makes it.",
        )
    balanced = load_tensors(pack, BALANCED, device) if needs.balanced else None
    return Sets(load_tensors(pack, "train", device), load_tensors(pack, "val", device), balanced)


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

    return replace(batch, image=move(batch.image), mask=None if batch.mask is None else move(batch.mask))
