"""Letters in a corner tell the class, like the initials of a hospital burnt into its X-rays.

Code ``k`` writes the ``k``-th text: ``L`` and ``R``, then the other letters and pairs of letters (702 codes), or the
texts of the settings. All texts of a task share one box, so the place tells nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from benchmark.api import Floats
from benchmark.biases.lettering import texts_of, write
from benchmark.biases.placed import Placed

Text = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]*[!-~])?$", max_length=12)]
"""A short line of printable ASCII without blanks at its ends."""


class Stamp(Placed):
    """A text of one grey level."""

    class Settings(Placed.Settings):
        """The bias's YAML."""

        texts: tuple[Text, ...] = Field(
            (), description="what each code writes, such as [SH, MC] (default: letters, L and R first)"
        )

    settings: Settings
    source = "Zech et al. 2018, PLOS Medicine 15(11), e1002683: networks that read a hospital's laterality tokens"

    def forms(self, codes: int, height: int) -> Floats:
        texts = texts_of(codes, self.settings.texts, "stamp")
        return write(texts, height, self.settings.corner.endswith("right"))
