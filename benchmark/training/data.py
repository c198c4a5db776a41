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
from benchmark.training.device import resident_bytes, sent

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

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self.label.device

    def batch(self, rows: Tensor | slice, needs: Needs) -> Batch:
        """Float images in [0, 1], and of the rest only what a method declares."""
        if isinstance(rows, slice):
            place = torch.arange(len(self), device=self.device)[rows]
        else:
            rows = place = sent(rows, self.device)
        return Batch(
            image=self.image[rows].float().div_(255).contiguous(memory_format=torch.channels_last),
            label=self.label[rows],
            mask=self.mask[rows].float() if needs.masks or needs.mask_at_test else None,
            code=self.code[rows] if needs.groups else None,
            row=place,
        )

    def pixels(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images and masks in order, uint8 on the device, ``size`` at once."""
        return zip(torch.split(self.image, size), torch.split(self.mask, size), strict=True)


@dataclass(frozen=True)
class Streamed(Tensors):
    """A subset that is too large for the device: it stays in the host's memory, and each batch is copied as uint8.

    The copy goes through pinned memory and the host runs ahead of the device, so the next batch is on its way while
    this one is computed.

    Attributes:
        target: The device of the batches.
    """

    target: torch.device

    @property
    def device(self) -> torch.device:
        return self.target

    def batch(self, rows: Tensor | slice, needs: Needs) -> Batch:
        """As of :class:`Tensors`."""
        rows = torch.arange(len(self))[rows] if isinstance(rows, slice) else rows.cpu()
        parts = (part[rows] for part in (self.image, self.mask, self.label, self.code))
        batch = Tensors(*(sent(part, self.target) for part in parts)).batch(slice(None), needs)
        return replace(batch, row=sent(rows, self.target))

    def pixels(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        return ((sent(image, self.target), sent(mask, self.target)) for image, mask in super().pixels(size))


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
    with torch.no_grad():
        logits = [logits_of(model, x.float() / 255, mask.float(), needs) for x, mask in tensors.pixels(size)]
    return torch.cat(logits)


def load_tensors(pack: Path, subset: str, device: torch.device | str = "cpu", largest: float | None = None) -> Tensors:
    """Reads one subset, checked.

    Args:
        pack: The biased pack.
        subset: Its group.
        device: Where batches shall be.
        largest: Bytes of pixels above which the subset is streamed; by default a share of the device's memory.
    """
    columns, _ = read_columns(pack, subset, (*names_of(Images), "code"))
    images = images_from(columns, f"{pack.name}/{subset}")
    check_images(images, f"{pack.name}/{subset}")
    parts = (
        torch.from_numpy(images.image).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(images.mask)[:, None],
        torch.from_numpy(images.label),
        torch.from_numpy(columns["code"]),
    )
    device = torch.device(device)
    if parts[0].nbytes + parts[1].nbytes > (resident_bytes(device) if largest is None else largest):
        return Streamed(*parts, target=device)
    return Tensors(*(part.to(device) for part in parts))


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
