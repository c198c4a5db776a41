"""From a name in ``scores.csv`` to the metric that it means."""

from __future__ import annotations

from dataclasses import replace

from benchmark.api import Metric
from benchmark.errors import raise_unknown
from benchmark.metrics.attribution import HEATMAP_LOSS
from benchmark.metrics.generalization import gap
from benchmark.registry import METRICS


def registered_metrics(family: str) -> list[Metric]:
    """All registered metrics of a family that work, ours first."""
    metrics: list[Metric] = list(METRICS.working().values())
    return [metric for metric in metrics if metric.family == family]


def metric_named(name: str) -> Metric:
    """The metric behind a name.

    A name is registered, or ``<generalization metric>_gap``, or ``<attribution metric>_<explainer>``, or
    ``heatmap_loss``.

    Raises:
        BenchmarkError: If it is none of them.
    """
    gaps = map(gap, registered_metrics("generalization"))
    exact = {metric.name: metric for metric in (HEATMAP_LOSS, *gaps)}
    if name in METRICS or name in exact:
        metric: Metric = METRICS.get(name) if name in METRICS else exact[name]
        return metric
    # The longest first: `relevance_mass_top` would else be read as `relevance_mass` by an explainer `top_...`.
    for metric in sorted(registered_metrics("attribution"), key=lambda metric: -len(metric.name)):
        if name.startswith(f"{metric.name}_"):
            return replace(metric, name=name)
    return raise_unknown(
        "metric", name, METRICS, do="Or the name of an attribution metric, '_' and an explainer's name."
    )
