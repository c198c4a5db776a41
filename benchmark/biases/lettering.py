"""Texts as pictures, in the DejaVu font that comes with Matplotlib: the same on every machine that has the package."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmark.api import Floats
from benchmark.biases.painted import check_different, check_number

CAPITAL = 0.729
"""Height of a capital letter of DejaVu Sans as a fraction of the font's size."""

LETTERS = "LRABCDEFGHIJKMNOPQSTUVWXYZ"
"""Left and right, which X-rays carry, then the others."""


def texts_of(codes: int, texts: tuple[str, ...], what: str) -> tuple[str, ...]:
    """What each code writes: the given texts, else single letters, then pairs of letters.

    Raises:
        BenchmarkError: If there are more codes than texts.
    """
    chosen = texts or (*LETTERS, *map("".join, product(LETTERS, repeat=2)))
    check_number(codes, len(chosen), what, "Name more texts or set fewer codes in the bias's YAML.")
    return chosen[:codes]


@lru_cache(maxsize=16)
def write(texts: tuple[str, ...], height: int, right: bool = False) -> Floats:
    """Opacity of every text, in boxes of one size that hold the largest, ``[T, h, w]``.

    Args:
        texts: One line each, not blank.
        height: Of a capital letter in px; a letter that reaches below the line makes the boxes higher.
        right: Shorter texts stand at the right end of the box, else at the left.

    Raises:
        BenchmarkError: If two of them look alike at this size.
    """
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    font = ImageFont.truetype(str(file), height / CAPITAL, layout_engine=ImageFont.Layout.BASIC)
    boxes = [font.getbbox(text) for text in texts]
    shape = int(max(box[3] for box in boxes)) + 2, int(max(box[2] for box in boxes)) + 2
    drawn = np.zeros((len(texts), *shape), np.float32)
    for text, one in zip(texts, drawn, strict=True):
        canvas = Image.new("L", shape[::-1])
        ImageDraw.Draw(canvas).text((0, 0), text, fill=255, font=font)
        ink = np.asarray(canvas, np.float32) / 255
        columns = np.flatnonzero(ink.any(axis=0))
        one[:] = np.roll(ink, shape[1] - 1 - columns[-1] if right else -columns[0], axis=1)
    rows, columns = (np.flatnonzero(drawn.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    drawn = drawn[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    check_different(drawn, "letters", "Make the letters larger (size) or name texts that differ more (texts).")
    return drawn
