"""What every number of a suite means: a row of ``metrics.csv`` for each metric that its tables hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from benchmark.explainers.conventions import EXPLAINER_FACTS
from benchmark.metrics.contract import HeatmapMetric
from benchmark.metrics.named import metric_named, of_explainers
from benchmark.registry import METRICS


@dataclass(frozen=True)
class MetricRow:
    """A metric with its conventions.

    Attributes:
        base: The metric without its explainer.
        explainer: Whose heatmaps it scores, or which explainer it tests; empty for metrics of predictions.
        sign: Which part of a signed map counts.
        region: Which mask it looks at.
        dilation: By how much that mask is widened.
        normalisation: What is done to a map beyond what the metric divides by.
        trained_by: Methods whose training uses such heatmaps.
        target: Which logit is explained.
        upsampling: How a coarse map comes to the image's size.
        baseline: What a pixel is compared with.
        empty_masks: What becomes of an image whose mask is empty or full.
        images: Which images count.
    """

    metric: str
    base: str
    family: str
    explainer: str
    higher_is_better: bool
    low: float
    high: float
    chance: str
    sign: str
    region: str
    dilation: str
    normalisation: str
    trained_by: str
    target: str
    upsampling: str
    baseline: str
    empty_masks: str
    images: str
    source: str


METRIC_COLUMNS = tuple(field.name for field in fields(MetricRow))
EMPTY = "not defined, counted"
DILATION = {"pointing_game": "15/224 of the shorter side"}
NORMALISATION = {"energy_pointing_game": "smallest value to 0, largest to 1"}


def metric_sheet(names: Iterable[str], explainers: Mapping[str, str]) -> list[MetricRow]:
    """Rows of ``metrics.csv``.

    Args:
        names: Of the metrics.
        explainers: Ending of a metric's name -> explainer; the ending of the judge is empty.
    """
    return [_row(name, explainers) for name in dict.fromkeys(names)]


def _row(name: str, explainers: Mapping[str, str]) -> MetricRow:
    metric = metric_named(name)
    base, explainer = split_name(name, explainers)
    facts = EXPLAINER_FACTS.get(explainer)
    of_maps = bool(explainer)
    declared = METRICS.get(base) if base in METRICS else metric
    heat = declared if isinstance(declared, HeatmapMetric) else None
    return MetricRow(
        metric=name,
        base=base,
        family=metric.family,
        explainer=explainer,
        higher_is_better=metric.higher_is_better,
        low=metric.low,
        high=metric.high,
        chance=metric.chance,
        sign=heat.sign if heat else "",
        region=heat.region if heat else "",
        dilation=DILATION.get(base, "none") if heat else "",
        normalisation=NORMALISATION.get(base, "none") if heat else "",
        trained_by=", ".join(facts.trained_by) if facts else "",
        target="" if not of_maps else "the label's logit" if facts is None or facts.target_dependent else "none",
        upsampling=facts.upsampling if facts else "",
        baseline=facts.baseline if facts else "",
        empty_masks=EMPTY if heat else "",
        images="correct only" if name.endswith("_if_correct") else "all",
        source=metric.source,
    )


def split_name(name: str, explainers: Mapping[str, str]) -> tuple[str, str]:
    """A metric's name without its explainer, and the explainer; for a metric of predictions the name and nothing."""
    bases = {metric.name: metric for metric in of_explainers()}
    for base in sorted(bases, key=len, reverse=True):
        if name == base or name.startswith(f"{base}_"):
            end = name.removeprefix(base)
            if end in explainers:
                return base, explainers[end]
            if base in ("faithfulness", "randomisation"):
                return base, end.removeprefix("_")
            return (base, explainers.get("", "")) if bases[base].family == "attribution" else (name, "")
    return name, ""
