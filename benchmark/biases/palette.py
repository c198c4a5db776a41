"""Colours that tell codes apart: hues, or grey levels where there is one channel."""

from __future__ import annotations

import colorsys

import numpy as np

from benchmark.api import Floats
from benchmark.biases.painted import check_number

GAP = 4
"""Smallest distance of two codes in grey levels of one channel."""


def colours(codes: int, channels: int, what: str) -> Floats:
    """The colour of each code, ``[codes, channels]``, 0 to 255.

    Three channels: pure hues, evenly round the circle from red, ``k / K``. One channel: grey levels evenly between
    black and white without either, ``255 (k + 1) / (K + 1)``.

    Raises:
        BenchmarkError: If two neighbours would be less than :data:`GAP` levels apart: more than 382 hues or 62 greys.
    """
    do = "Set codes in the bias's YAML, or use a bias that tells more apart, such as stamp."
    if channels == 1:
        check_number(codes, 255 // GAP - 1, f"{what} on one channel", do)
        return (255 * np.arange(1, codes + 1, dtype=np.float32) / (codes + 1))[:, None]
    check_number(codes, 6 * 255 // GAP, what, do)
    return np.array([colorsys.hsv_to_rgb(k / codes, 1, 1) for k in range(codes)], np.float32) * 255
