"""From a name in ``scores.csv`` to the metric that it means."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from benchmark.api import Metric
from benchmark.errors import raise_unknown
from benchmark.metrics.generalization import gap
from benchmark.metrics.groups import ADJUSTED_AVERAGE, PLAIN_AVERAGE, WORST_GROUP_ACCURACY, WORST_GROUP_PLUG_IN
from benchmark.metrics.guards import FAITHFULNESS, RANDOMISATION
from benchmark.registry import METRICS

OF_GROUPS = (WORST_GROUP_ACCURACY, WORST_GROUP_PLUG_IN, PLAIN_AVERAGE, ADJUSTED_AVERAGE)
"""Not registered: they need groups, and test images under two variants."""


def registered_metrics(family: str) -> list[Metric]:
    """All registered metrics of a family that work, ours first."""
    metrics: list[Metric] = list(METRICS.working().values())
    return [metric for metric in metrics if metric.family == family]


def of_explainers() -> list[Metric]:
    """The metrics that come once for every explainer: of its heatmaps, and of itself."""
    return [*registered_metrics("attribution"), FAITHFULNESS, RANDOMISATION]


@cache
def metric_named(name: str) -> Metric:
    """The metric behind a name, looked up once a process.

    A name is registered, or ``<generalization metric>_gap``, or ``<metric of heatmaps or of explainers>_<explainer>``,
    or that of a derived metric.

    Raises:
        BenchmarkError: If it is none of them.
    """
    gaps = map(gap, registered_metrics("generalization"))
    exact = {metric.name: metric for metric in (*OF_GROUPS, *gaps)}
    if name in METRICS or name in exact:
        metric: Metric = METRICS.get(name) if name in METRICS else exact[name]
        return metric
    # The longest first: `relevance_mass_top` would else be read as `relevance_mass` by an explainer `top_...`.
    for metric in sorted(of_explainers(), key=lambda metric: -len(metric.name)):
        if name.startswith(f"{metric.name}_"):
            return replace(metric, name=name)
    return raise_unknown(
        "metric", name, METRICS, do="Or the name of a metric of heatmaps, '_' and an explainer's name."
    )
