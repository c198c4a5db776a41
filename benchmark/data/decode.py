"""Image files to arrays of one size: what cannot be read whole is an error that names the file.

A rectangle becomes a square by ``crop`` (the centre, as wide as the shorter side) or ``stretch`` (squeezed). Images are
then resized bilinearly with antialiasing, masks take the nearest pixel; what has the right size keeps every bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmark.api import UInt8
from benchmark.errors import BenchmarkError

Fit = Literal["stretch", "crop"]

MAX_PIXELS = 89_478_485
"""An image beyond this (a quarter GiB as RGB) is refused before it is decoded: it may be a decompression bomb."""

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "TGA", "PCX", "ICO")
"""What is decoded. Not by its name but by its content is a file EPS, say, which Pillow hands to another program."""

EXIF_ORIENTATION = 0x0112
TURNED = range(5, 9)
"""Values of that tag that swap height and width."""


def read_picture(file: Path | IO[bytes], name: str = "") -> UInt8:
    """An image file as ``[H, W, C]`` with C = 1 (grey) or 3, turned as its EXIF tag says.

    Transparency is left out; 16-bit grey keeps its upper 8 bits (of the full range: nothing is windowed).

    Args:
        file: Its path, or its content.
        name: How errors call it (default: the path).

    Raises:
        BenchmarkError: Naming the file, if it is missing, no image, cut short, too large or of floating-point pixels.
    """
    name = name or str(file)
    try:
        with Image.open(file, formats=FORMATS) as image:
            refuse_huge(image, name)
            image.load()
            return to_bytes(ImageOps.exif_transpose(image), name)
    except BenchmarkError:
        raise
    except FileNotFoundError as error:
        raise BenchmarkError(f"image {name} is missing", do="Put it there, or take its row out.") from error
    except Exception as error:  # on damaged bytes Pillow raises whatever its decoders do
        raise BenchmarkError(
            f"image {name} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="a whole image file",
            do="Get the file anew, or take its row out.",
        ) from error


def picture_shape(file: Path | IO[bytes], name: str = "") -> tuple[int, int]:
    """Height and width that :func:`read_picture` would give, from the header alone.

    Raises:
        BenchmarkError: As :func:`read_picture`, as far as the header tells.
    """
    name = name or str(file)
    try:
        with Image.open(file, formats=FORMATS) as image:
            refuse_huge(image, name)
            width, height = image.size
            return (width, height) if image.getexif().get(EXIF_ORIENTATION) in TURNED else (height, width)
    except BenchmarkError:
        raise
    except Exception:
        return read_picture(file, name).shape[:2]  # the same error, in the words of the reader


def refuse_huge(image: Image.Image, name: str) -> None:
    """Refuses an image by the size that its header states."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BenchmarkError(
            f"image {name} is huge",
            got=f"{width} x {height} pixels",
            expected=f"at most {MAX_PIXELS:,} pixels",
            do="Shrink it first.",
        )


def to_bytes(image: Image.Image, name: str) -> UInt8:
    """Pixels as ``[H, W, 1 or 3]``."""
    if image.mode.startswith("I"):  # 16-bit grey, or 32 bits that hold 16
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 0xFFFF:
            raise BenchmarkError(f"image {name}", got=f"values {wide.min()} to {wide.max()}", expected="0 to 65535")
        return (wide >> 8).astype(np.uint8)[..., None]
    if image.mode == "F":
        raise BenchmarkError(f"image {name}", got="floating-point pixels", expected="8 or 16 bits", do="Convert it.")
    if image.mode in ("1", "L", "LA", "La"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))


def to_channels(pixels: UInt8, channels: int) -> UInt8:
    """Grey repeated to three channels, or colour weighed to one as ITU-R BT.601 does (Pillow's ``L``)."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 1:
        return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    return np.repeat(pixels, channels, axis=-1)


def fit_image(pixels: UInt8, size: int, fit: Fit) -> UInt8:
    """``[H, W, C]`` to ``[size, size, C]``, bilinear with antialiasing."""
    if pixels.shape[:2] == (size, size):
        return pixels
    grey = pixels.shape[-1] == 1
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    small = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box_of(image.size, fit)))
    return small[..., None] if grey else small


def fit_mask(mask: NDArray[np.bool_], size: int, fit: Fit) -> UInt8:
    """``[H, W]`` to ``[size, size]`` in {0, 1}: the nearest pixel, of the same part that :func:`fit_image` takes."""
    if mask.shape == (size, size):
        return mask.astype(np.uint8)
    image = Image.fromarray(mask.astype(np.uint8))
    return np.asarray(image.resize((size, size), Image.Resampling.NEAREST, box=box_of(image.size, fit)))


def box_of(size: tuple[int, int], fit: Fit) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is kept."""
    width, height = size
    if fit == "stretch":
        return 0, 0, width, height
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side
