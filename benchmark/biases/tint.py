"""The colour of the background tells the class, as in coloured digits.

Every background pixel is blended towards the colour of its code: a pure hue ``k / K`` round the circle on three
channels, the grey level ``255 (k + 1) / (K + 1)`` on one channel, where the bias is the background's brightness. At
strength 1 nothing but the colour is left of the background. Up to 382 codes, or 62 on one channel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints, UInt8
from benchmark.biases.painted import Painted, blend
from benchmark.biases.palette import colours
from benchmark.seeding import Draws


class Tint(Painted):
    """The whole background, blended towards a colour."""

    source = "after the coloured digits of Arjovsky et al. 2019 (arXiv 1907.02893), who colour the object instead"

    def paint(
        self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws
    ) -> tuple[Floats, NDArray[np.bool_]]:
        colour = colours(codes, image.shape[-1], "tint")[code]
        return blend(image, colour[:, None, None, :], self.settings.strength), np.ones(mask.shape, bool)
