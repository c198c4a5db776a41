"""What every data set must keep before a method is trained on it: checked when a pack is written and when read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.api import SPLITS, Images, Index, UInt8
from benchmark.errors import BenchmarkError


def check_index(index: Index, where: str) -> None:
    """Refuses labels, names and splits that no method could be trained on honestly.

    Raises:
        BenchmarkError: Naming the first thing that breaks a rule, its value, and the rule.
    """
    n = len(index)
    if n == 0:
        raise BenchmarkError(f"{where} holds no images", do="Check the data set's split and manifest.")
    for name, values in index.columns().items():
        if len(values) != n:
            raise BenchmarkError(f"column {name!r} of {where}", got=f"{len(values)} rows", expected=f"{n} rows")
    if len(np.unique(index.id)) != n:
        raise BenchmarkError(f"ids of {where}", expected="unique names", do="Rename the doubles in the manifest.")
    if index.label.dtype.kind not in "iu" or index.label.min() < 0:
        got = f"{index.label.dtype} from {index.label.min()}"
        raise BenchmarkError(f"labels of {where}", got=got, expected="whole numbers, class indices from 0")
    if unknown := sorted(set(index.split.tolist()) - set(SPLITS)):
        raise BenchmarkError(f"split of {where}", got=unknown[0], expected=", ".join(SPLITS), do="Mend the manifest.")


def check_pixels(image: UInt8, mask: UInt8, ids: NDArray[np.str_], where: str) -> None:
    """Refuses images and masks of a wrong form, and a mask without foreground or without background.

    Raises:
        BenchmarkError: Naming the first image that breaks a rule, the value, and the rule.
    """
    for name, values in (("image", image), ("mask", mask)):
        if len(values) != len(ids):
            raise BenchmarkError(f"column {name!r} of {where}", got=f"{len(values)} rows", expected=f"{len(ids)} rows")
    if image.dtype != np.uint8 or image.ndim != 4:
        raise BenchmarkError(f"images of {where}", got=f"{image.dtype} {image.shape}", expected="uint8 [N, H, W, C]")
    if mask.shape != image.shape[:3]:
        raise BenchmarkError(
            f"masks of {where} have another size than the images",
            got=mask.shape[1:],
            expected=str(image.shape[1:3]),
            do="Resize the masks with nearest-neighbour interpolation.",
        )
    values = mask.reshape(len(ids), -1)
    most, least = values.max(axis=1), values.min(axis=1)
    soft = most > 1 if mask.dtype == np.uint8 else ((values != 0) & (values != 1)).any(axis=1)  # the former is fast
    for rule, bad, do in (
        ("values 0 and 1 only", soft, "Threshold the mask."),
        ("at least one foreground pixel", most == 0, "Remove the image or draw its mask."),
        ("at least one background pixel", least > 0, "Remove the image or draw its mask."),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise BenchmarkError(
                f"mask of image {str(ids[row])!r} in {where}",
                got=f"values {np.unique(values[row]).tolist()[:5]}",
                expected=rule,
                do=do,
            )


def check_images(images: Images, where: str) -> None:
    """Both checks, for images that are in memory."""
    check_index(images, where)
    check_pixels(images.image, images.mask, images.id, where)


def check_units(index: Index, where: str) -> None:
    """Refuses a unit (patient) that appears in two splits: its images would leak.

    Raises:
        BenchmarkError: Naming the unit and its splits.
    """
    home: dict[str, str] = {}
    for unit, split in zip(index.unit.tolist(), index.split.tolist(), strict=True):
        if home.setdefault(unit, split) != split:
            raise BenchmarkError(
                f"unit {unit!r} of {where} is in two splits",
                got=f"{home[unit]} and {split}",
                expected="all images of a unit in one split",
                do="Split by unit (patient), not by image.",
            )
