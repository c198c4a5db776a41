"""The rules behind a suite's numbers in a few sentences, as its pages print them; RULES.md is the whole."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.cell import Cell
from benchmark.predictions import Predictions, image_sets
from benchmark.report.words import tested_on

PROTOCOL = (
    "The epoch is chosen by the method's own training objective on the validation images, which carry the training's "
    "bias: no method is tuned or stopped on ood, deceiving or external images.",
    "Intervals are 95 % and cover new test units and new training seeds: bootstrap variance over units plus variance "
    "over seeds, t quantile with degrees of freedom between those of seeds and units.",
    "Heatmap scores explain the label's logit on test images drawn once. Integrated gradients judge: no method was "
    "trained through them. Some come near: training on maps along a path from a black image (isnet_path), which is "
    "also their path, and penalties on input gradients (rrr); so behaviour is the judge without such ties. Beside them "
    "stand LRP, which the ISNets are trained through, and other explainers. One that fails its own checks on a method "
    "is grey there and decides nothing.",
)


def shown(predictions: Mapping[Cell, Predictions]) -> list[str]:
    """Which images the variants show, a sentence for each kind of task."""
    lines: dict[str, None] = {}
    for sets in {cell.task: image_sets(stored.tested) for cell, stored in predictions.items()}.values():
        first, *others = ((tested_on(list(variants)), len(variants) > 1) for variants in sets.values())
        line = f"Tested on {first[0]}{', which show the same test images' if first[1] else ''}"
        for words, _ in others:
            line += f"; on {words}: other images, whose units are resampled by themselves (a gap to iid is not paired)"
        lines[f"{line}."] = None
    return list(lines)
