"""A small mark in a corner, whose form tells the code: the place is the same for all codes."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from pydantic import Field

from benchmark.api import Floats, Ints, PlantedBias, UInt8
from benchmark.biases.painted import blend, blocks, check_codes, check_seen
from benchmark.biases.places import Corner, displacement, homes, inside, pixels, settle
from benchmark.seeding import Draws


class Placed(PlantedBias):
    """Pastes the form of each code where it meets no foreground."""

    class Settings(PlantedBias.Settings):
        """The dials of a small mark."""

        size: float = Field(0.2, gt=0, le=1, description="height of the mark as a fraction of the shorter side")
        jitter: float = Field(
            0.0, ge=0, le=1, description="largest displacement each way, as a fraction of the shorter side"
        )
        corner: Corner = Field("top_left", description="where the mark belongs")
        grey: int = Field(255, ge=0, le=255, description="its grey level: 255 is white, 0 black for bright images")

    settings: Settings

    @abstractmethod
    def forms(self, codes: int, height: int) -> Floats:
        """Opacity of the mark of each code, ``[codes, h, w]`` in [0, 1], all in boxes of one size.

        Args:
            codes: Number of different marks.
            height: Of the mark in px.

        Raises:
            BenchmarkError: If so many cannot be told apart at this height.
        """

    def plant(self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws) -> tuple[UInt8, UInt8]:
        check_codes(code, codes)
        height, width = mask.shape[1:]
        forms = self.forms(codes, pixels(self.settings.size, height, width))
        box = forms.shape[1], forms.shape[2]
        moved = displacement(draws, self.settings.jitter, height, width)
        home = homes(self.settings.corner, moved, (height, width), box)
        planted, mark = image.copy(), np.zeros(mask.shape, np.uint8)
        for rows in blocks(image):
            here = inside(settle(mask[rows], home[rows], *box), *box)
            form, before = forms[code[rows]], image[rows][here]
            seen = (form > 0) & (mask[rows][here] == 0)
            level = blend(before, self.settings.grey, self.settings.strength * form[..., None])
            planted[rows][here] = np.where(seen[..., None], np.rint(level), before)
            mark[rows][here] = seen
        check_seen(mark, code)
        return planted, mark
