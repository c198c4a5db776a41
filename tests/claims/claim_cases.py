"""Tracks of known mean, standard error and degrees of freedom, and claims about them."""

import math

import numpy as np

from benchmark.cell import Cell
from benchmark.claims import decide_all
from benchmark.claims.kinds import KINDS
from benchmark.metrics.named import metric_named
from benchmark.stats.track import Track

TASK = {"dataset": "mnist5k", "bias": "corner"}
METHODS = ("erm", "isnet", "isnet_path", "unet_classifier")
UNITS = 11
"""Ten degrees of freedom: t is 1.372 (one-sided 0.1), 1.812 (0.05), 2.228 (0.025), 2.764 (0.01), 3.169 (0.005)."""


def cell(method, **other):
    return Cell(**{**TASK, **other}, method=method)


def track(value, se=0.01, *, metric="accuracy", variant="deceiving", units=UNITS, seeds=3):
    """All seeds alike, two draws around their value: its variance is that of the units, ``df = units - 1``."""
    step = se / math.sqrt(2)
    values = np.full(seeds, float(value))
    draws = values[:, None] + np.array([-step, step])
    return Track(metric_named(metric), variant, values, draws, np.full(seeds, units))


def tracks(*found, **cells):
    """Cells by method; each track under its variant and metric."""
    by_cell = {cell(method): each if isinstance(each, list) else [each] for method, each in cells.items()}
    return {at: {(one.variant, one.metric.name): one for one in each} for at, each in by_cell.items()}


def claim(test, **changes):
    """A claim about the accuracy of ``isnet`` where the mark deceives."""
    base = {"name": "robust", "sentence": "It reads the digit", "source": "a test", "test": test, "method": "isnet"}
    if test != "ratio":
        base |= {**TASK, "variant": "deceiving", "metric": "accuracy"}
    return KINDS[test].model_validate(base | changes)


def decide(claims, tracks_=None, costs=(), cells=None, seeds=None):
    """Rows of claims.csv; the seeds are 0, 1, ... and the suite's cells are those with tracks, else ``METHODS``."""
    tracks_ = tracks_ or {}
    counted = {at: range(len(next(iter(found.values())).values)) for at, found in tracks_.items()}
    claims = claims if isinstance(claims, list) else [claims]
    return decide_all(
        claims,
        tracks_,
        costs,
        seeds=seeds or counted,
        cells=cells or list(tracks_) or [cell(method) for method in METHODS],
    )


def one(*arguments, **others):
    (row,) = decide(*arguments, **others)
    return row
