"""How often each image of each variant counts in each bootstrap draw."""

from __future__ import annotations

from benchmark.api import Floats
from benchmark.predictions import Predictions, image_sets
from benchmark.seeding import numpy_stream
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.track import Weights


def draw_weights(base: Predictions, task: str, draws: int, seed: int) -> Weights:
    """The draws that all methods of a task share, ``[B, N]`` for each variant.

    A set of images is drawn once for all variants that show it: the first set by the stream of the task, another by a
    stream of its own. A unit that is in two sets is drawn in each independently: the interval of a gap between
    them is then too wide rather than too narrow.
    """
    weights: dict[str, Floats] = {}
    for first, variants in image_sets(base.tested).items():
        tested, names = base.tested[first], () if first == "iid" else (first,)
        strata = tested.label if base.attributes.get("strata") == "label" else None
        rng = numpy_stream(seed, "bootstrap", task, *names)
        weights |= dict.fromkeys(variants, resample_counts(tested.unit, draws, rng, strata))
    return weights
