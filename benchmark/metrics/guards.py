r"""May an explainer's heatmaps of a model be used for a verdict? Two checks of the explainer, and the rule.

The rule greys an explainer for a cell when its 95 % intervals say one of these:

1. **It is not shown to be more faithful than a random order**: the lower bound of the faithfulness is not above 0. Maps
   that look right can be no better than random (Hooker et al. 2019, NeurIPS, arXiv 1806.10758; Rong et al. 2022). The
   burden of proof is the explainer's, since its map is what a verdict would rest on.
2. **It hardly depends on the weights**: the lower bound of the rank correlation with a model of random weights is above
   the root of one half. More than half of the variance of the ranks is then there without anything learned, as in an
   edge detector, which has 1 (Adebayo et al. 2018). The burden of proof is on the accusation, since a high correlation
   may have another cause (Yona and Greenfeld 2021): two maps that multiply by the input share the image. That alone,
   `|x z|` against `|x z'|` with independent normal `z` and `z'`, gives 0.37 on digits and 0.41 on uniform pixels.

The bounds are those of new images for the models that were trained: whether these maps may be used. That another
training's maps would be more faithful or less is no fault of the explainer, and an interval that counts it condemns a
map that is faithful to every seed. Where single images have no similarity, the others are asked.

Neither check replaces the other. An edge detector is *faithful* to a model that reads a bright mark; random noise
*depends* on the weights as far as one can tell. Who passes both may still be wrong.
"""

from __future__ import annotations

import math

import numpy as np

from benchmark.api import Metric

ALMOST_THE_SAME = math.sqrt(0.5)
"""Rank correlation above which more than half of the variance of the ranks needs no learning."""

Bounds = tuple[float, float, float]
"""Value, lower and upper bound."""

FAITHFULNESS = Metric(
    name="faithfulness",
    family="guard",
    function=np.asarray,
    higher_is_better=True,
    low=-1.0,
    high=1.0,
    chance="0: pixels in random order",
    source="ROAD, least minus most relevant first: Rong et al. 2022, ICML, arXiv 2202.00449",
)

RANDOMISATION = Metric(
    name="randomisation",
    family="guard",
    function=np.asarray,
    higher_is_better=False,
    low=-1.0,
    high=1.0,
    chance="1: the map does not depend on the weights; about 0.4: as maps that share a factor, the image",
    source="rank correlation with the map of a model of random weights: Adebayo et al. 2018, NeurIPS, arXiv 1810.03292",
)


def verdict(faithfulness: Bounds, randomisation: Bounds) -> str:
    """Whether an explainer may be used for a model: the module's rule.

    A similarity without bounds but above the limit fails, too: that of an edge detector is 1 for all images and seeds,
    so there is no variance to make an interval of.

    Args:
        faithfulness: Mean of the seeds, lower and upper bound, of :data:`FAITHFULNESS`; NaN where not defined.
        randomisation: The same of :data:`RANDOMISATION`.

    Returns:
        Empty if it may be used, else the reason; ``not decided: ...`` where nothing fails and something is not defined.
    """
    lowest, similar = faithfulness[1], randomisation[1] if math.isfinite(randomisation[1]) else randomisation[0]
    fails = []
    if math.isfinite(lowest) and lowest <= 0:
        fails.append(f"not shown to be more faithful than a random order: {_text(faithfulness)}, 0 is random")
    if math.isfinite(similar) and similar > ALMOST_THE_SAME:
        fails.append(f"hardly depends on the weights: {_text(randomisation)}, 1 is not at all")
    if fails:
        return "; ".join(fails)
    open_ = [
        f"{name} {'has no interval' if math.isfinite(given[0]) else 'is not defined'}"
        for name, given in (("faithfulness", faithfulness), ("randomisation", randomisation))
        if not all(map(math.isfinite, given))
    ]
    return f"not decided: {' and '.join(open_)}" if open_ else ""


def _text(given: Bounds) -> str:
    value, low, high = given
    bounds = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) and math.isfinite(high) else ""
    return f"{value:.2f}{bounds}"
