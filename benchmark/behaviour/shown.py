"""The images of one variant, as measurements of behaviour take them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Ints, UInt8
from benchmark.errors import BenchmarkError


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """Test images of a variant with their marks.

    Attributes:
        image: ``[M, H, W, C]``, 0 to 255.
        mask: ``[M, H, W]``, 1 = foreground, 0 = background.
        mark: ``[M, H, W]``, 1 = pixel of the planted mark; zeros where there is none.
        label: ``[M]`` class indices.
        code: ``[M]`` the mark that each image carries, or :data:`benchmark.api.NO_CODE`.
        id: ``[M]`` unique names.
        unit: ``[M]`` the independent unit of each image.

    Raises:
        BenchmarkError: If shapes disagree, a mask is not binary or a name comes twice.
    """

    image: UInt8
    mask: UInt8
    mark: UInt8
    label: Ints
    code: Ints
    id: NDArray[np.str_]
    unit: NDArray[np.str_]

    def __post_init__(self) -> None:
        if self.image.ndim != 4 or self.image.dtype != np.uint8:
            got = f"{self.image.dtype} of shape {self.image.shape}"
            raise BenchmarkError("shown images", got=got, expected="uint8 [M, H, W, C]")
        for name, shape in [
            *((name, self.image.shape[:3]) for name in ("mask", "mark")),
            *((name, self.image.shape[:1]) for name in ("label", "code", "id", "unit")),
        ]:
            if (got := getattr(self, name).shape) != shape:
                raise BenchmarkError(f"{name} of the shown images", got=got, expected=f"shape {shape}")
        for name in ("mask", "mark"):
            values = getattr(self, name)
            if not ((values == 0) | (values == 1)).all():
                raise BenchmarkError(
                    f"{name} of the shown images", got=np.unique(values)[:5].tolist(), expected="only 0 and 1"
                )
        if len(np.unique(self.id)) != len(self):
            raise BenchmarkError("shown images", got=f"{len(self)} with repeated names", expected="unique names")

    def __len__(self) -> int:
        return len(self.image)

    def take(self, rows: Any) -> Shown:
        """The given rows (indices, a slice or a boolean array)."""
        return Shown(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @property
    def usable(self) -> NDArray[np.bool_]:
        """``[M]`` which images have both a foreground and a background."""
        return np.asarray(self.mask.any((1, 2)) & ~self.mask.all((1, 2)))

    def same_images(self, other: Shown | None) -> bool:
        """Whether ``other`` shows the same images in the same order, whatever their marks."""
        return other is not None and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("id", "label", "mask")
        )
