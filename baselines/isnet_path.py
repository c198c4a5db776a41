r"""ISNet with path sampling: the heatmap loss on points between each image and the image without its background.

.. math:: x_\alpha = M \odot x + \alpha (1 - M) \odot x, \quad \alpha \sim U(0, 1), \quad
          L = (1 - P)\,\mathrm{CE}(f(x_\alpha), y) + P\,L_H\big(\mathrm{LRP}(f, x_\alpha)\big)

Why: :mod:`isnet.path`. One forward and one relevance pass a step, as in the ISNet; nothing at run time. Every member
of the family has the same option ``path``; here it is what the method is.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from baselines.isnet import ISNet


class ISNetPath(ISNet):
    """Heatmaps along the path to the black background, or to another one."""

    class Settings(ISNet.Settings):
        """Those of the ISNet, always with a path."""

        path: Literal["zero", "mean", "blur", "other"] = Field("zero", description="on the way to which background")

    settings: Settings
    source = "this project, docs/path-sampling.md; ISNet: arXiv 2202.00232"
