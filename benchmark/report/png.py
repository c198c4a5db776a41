"""Small PNG images (no imaging library: it would be one more thing to import)."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def encode(image: UInt8, palette: UInt8 | None = None) -> bytes:
    """A PNG file.

    Args:
        image: ``[H, W]`` grey or palette indices, or ``[H, W, 3]`` RGB, 0 to 255.
        palette: ``[P, 3]`` RGB, at most 256 colours; makes ``image`` an index into it.
    """
    height, width = image.shape[:2]
    kind = 2 if image.ndim == 3 else 0 if palette is None else 3
    lines = np.zeros((height, 1 + image[0].size), np.uint8)
    lines[:, 1:] = image.reshape(height, -1)
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    colours = b"" if palette is None else _chunk(b"PLTE", palette.tobytes())
    return SIGNATURE + head + colours + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)) + _chunk(b"IEND", b"")


def size(content: bytes) -> tuple[int, int]:
    """Width and height in the header of a PNG file."""
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def data_uri(content: bytes) -> str:
    """The file as text that a page can hold."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
