"""Chest X-rays with lung masks: what several data sets share, above all the sets of the National Library of Medicine.

Names tell the hospital, the patient and the class: ``CHNCXR_0327_1.png`` is patient 327 of Shenzhen, with tuberculosis
(1; 0 is normal). Montgomery comes with a mask for each lung, drawn by hand. Masks for 566 of the 662 images of Shenzhen
were drawn by Stirenko et al. and are published apart, as ``CHNCXR_0327_1_mask.png``.

Source: Jaeger et al., Two public chest X-ray datasets for computer-aided screening of pulmonary diseases, 2014;
Candemir et al., Lung segmentation in chest radiographs using anatomical atlases with nonrigid registration, 2014;
Stirenko et al., arXiv 1803.01199.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.data.decode import read_picture, to_channels
from benchmark.data.filed import Record
from benchmark.data.official import AGAIN, missing
from benchmark.errors import BenchmarkError

HOSPITALS = {"shenzhen": ("ChinaSet_AllFiles", "CHNCXR"), "montgomery": ("MontgomerySet", "MCUCXR")}
"""Hospital to folder and first part of the names."""
LABELS = ("normal", "tb")
LEFT, RIGHT = "MontgomerySet/ManualMask/leftMask", "MontgomerySet/ManualMask/rightMask"
SHENZHEN_MASKS = "shenzhen_masks"
"""Folder that the masks of Stirenko et al. are unpacked into, as deep as their archive has them."""
MOST_SKEW = 0.02
"""By how much a mask may differ from its image in the ratio of its sides: a pixel of rounding, no more."""


def nlm_records(folder: Path, hospital: str, split: str = "") -> Iterator[Record]:
    """The images of one of the two sets.

    Raises:
        BenchmarkError: If its folder is missing or empty, a name is of another form, or a lung lacks its mask.
    """
    home, prefix = HOSPITALS[hospital]
    names = sorted(path.name for path in (folder / home / "CXR_png").glob("*.png"))
    if not names:
        raise missing(folder, f"{home}/CXR_png/{prefix}_0001_0.png")
    drawn = {path.name: path for path in (folder / SHENZHEN_MASKS).rglob("*_mask.png")}
    for name in names:
        match = re.fullmatch(rf"{prefix}_(\d{{4}})_([01])\.png", name)
        if match is None:
            raise BenchmarkError(
                f"name of {home}/CXR_png/{name}", got=name, expected=f"{prefix}_, four digits, _0 or _1, .png", do=AGAIN
            )
        mask = ""
        if hospital == "montgomery":
            mask = f"{LEFT}/{name}"
            if not (folder / RIGHT / name).is_file():
                raise missing(folder / RIGHT, name)
        elif found := drawn.get(f"{name.removesuffix('.png')}_mask.png"):
            mask = found.relative_to(folder).as_posix()
        yield Record(
            file=f"{home}/CXR_png/{name}",
            label=LABELS[int(match[2])],
            source=hospital,
            split=split,
            unit=f"{hospital}-{match[1]}",
            mask=mask,
            mask_kind="human" if mask else "",
            id=name.removesuffix(".png"),
        )


def lung_mask(folder: Path, file: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask file in the image's size ``[H, W]``: brighter than half of white is lung; of Montgomery, both lungs.

    A mask that was published in another resolution than its image is enlarged or shrunk to the nearest pixel.

    Raises:
        BenchmarkError: If a file cannot be read, or its sides have another ratio than the image's.
    """
    parts = (file, file.replace(LEFT, RIGHT)) if file.startswith(LEFT) else (file,)
    masks = [to_channels(read_picture(folder / part, part), 1)[..., 0] > 127 for part in parts]
    if len({mask.shape for mask in masks}) > 1:
        raise BenchmarkError(
            f"mask {file}", got=masks[0].shape, expected=f"{masks[1].shape}, as the right lung's", do=AGAIN
        )
    return in_size(np.logical_or.reduce(masks), file, shape)


def in_size(mask: NDArray[np.bool_], file: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask in another resolution.

    Raises:
        BenchmarkError: If its sides have another ratio.
    """
    if mask.shape == shape:
        return mask
    if abs(mask.shape[0] * shape[1] / (mask.shape[1] * shape[0]) - 1) > MOST_SKEW:
        raise BenchmarkError(
            f"mask {file} is of another form than its image",
            got=mask.shape,
            expected=f"the ratio of {shape}",
            do="Give the mask its image's size.",
        )
    rows = (np.arange(shape[0]) * 2 + 1) * mask.shape[0] // (2 * shape[0])
    columns = (np.arange(shape[1]) * 2 + 1) * mask.shape[1] // (2 * shape[1])
    return mask[np.ix_(rows, columns)]
