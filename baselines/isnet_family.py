"""The ISNet by what of an image it explains: one logit or all, the label's or a drawn one, or the log-odds of a class.

One map an image costs the same for any number of classes; the original's cost grows with them.
"""

from __future__ import annotations

from typing import Literal

from baselines.isnet import ISNet


class ISNetStochastic(ISNet):
    """The highest logit or, with the same probability, another: the target that ``isnet`` has by default."""

    class Settings(ISNet.Settings):
        """Those of the ISNet."""

        target: Literal["stochastic"] = "stochastic"

    settings: Settings
    source = "Bassi, Decherchi and Cavalli 2024, Faster ISNet (arXiv 2401.08409): Stochastic ISNet"


class ISNetLabel(ISNet):
    """The label's logit."""

    class Settings(ISNet.Settings):
        """Those of the ISNet."""

        target: Literal["label"] = "label"

    settings: Settings
    source = "this project; ISNet: arXiv 2202.00232"


class ISNetOriginal(ISNet):
    """Every logit, a map each."""

    class Settings(ISNet.Settings):
        """Those of the ISNet."""

        target: Literal["original"] = "original"

    settings: Settings
    source = "Bassi, Dertkigil and Cavalli 2024, Nat. Commun. 15:291 (arXiv 2202.00232)"


class ISNetSelective(ISNet):
    """The log-odds of the least likely class against all others, without the authors' stabiliser.

    See :func:`isnet.targets.selective`.
    """

    class Settings(ISNet.Settings):
        """Those of the ISNet."""

        target: Literal["selective"] = "selective"

    settings: Settings
    source = "Bassi, Decherchi and Cavalli 2024, Faster ISNet (arXiv 2401.08409): Selective ISNet"
