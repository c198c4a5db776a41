"""Somebody's metric, from ``package:name``: what it is, how it takes weights, and a watch over what it returns.

The code is the user's own and runs as such: who names a module asks for it to be imported. Its results are not trusted:
a wrong shape, an infinity or a value outside the declared range is an error and never a number in a table.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np

from benchmark.api import Floats, Ints, Metric
from benchmark.errors import BenchmarkError
from benchmark.metrics.named import registered_metrics

WEIGHTS = ("weight", "weights", "sample_weight")
"""What the parameter for weights may be called: ``f(score, label, k=5)`` takes none."""

ROUNDING = 1e-9
"""How far outside its range a value may lie by rounding."""

CONTRACT = "func(score [N, K], label [N], weight [..., N] or None) -> [...], or func(score, label) -> a number"


@dataclass(frozen=True)
class Scorer:
    """A metric of predictions that is watched.

    Attributes:
        metric: Direction and range; an unknown range is infinite.
        target: ``package:name``, as it was asked for.
        weight: How weights are handed over: the parameter's name, ``""`` for by position, ``None`` for not at all.
    """

    metric: Metric
    target: str
    weight: str | None

    @property
    def bounded(self) -> bool:
        """Whether values are fractions of about 1, to be printed with three decimals."""
        return max(abs(self.metric.low), abs(self.metric.high)) <= 2

    def __call__(self, score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
        """The metric's values, ``[...]`` for weights ``[..., N]``.

        Raises:
            BenchmarkError: If the function fails, or returns something else than numbers of that shape in its range.
        """
        found = self._called(score, label, weight)
        wanted = () if weight is None else weight.shape[:-1]
        try:
            value = np.asarray(found)
        except Exception as error:  # whatever its object does when it becomes an array
            raise self._wrong(f"{type(error).__name__}: {error}", "numbers") from error
        if value.dtype.kind not in "buif" or value.shape != wanted:
            given = "without weights" if weight is None else f"for weights of shape {weight.shape}"
            raise self._wrong(f"{value.dtype} of shape {value.shape}", f"numbers of shape {wanted} {given}")
        value = value.astype(float)
        low, high = self.metric.low, self.metric.high
        outside = np.isinf(value) | (value < low - ROUNDING) | (value > high + ROUNDING)
        if outside.any():
            expected = f"finite values from {low:g} to {high:g}"
            raise self._wrong(float(value[outside][0]), expected, "Mend the function, or its declared range.")
        return value

    def _called(self, score: Floats, label: Ints, weight: Floats | None) -> Any:
        try:
            if weight is None or self.weight is None:
                return self.metric.function(score, label)
            if self.weight:
                return self.metric.function(score, label, **{self.weight: weight})
            return self.metric.function(score, label, weight)
        except (Exception, SystemExit) as error:
            shapes = f"score {list(score.shape)}, label {list(label.shape)}"
            shapes += "" if weight is None else f", weight {list(weight.shape)}"
            raise BenchmarkError(
                f"metric {self.target} failed on {shapes} (read-only arrays)",
                got=f"{type(error).__name__}: {error}",
                expected=CONTRACT,
                do="Mend the function; call it once by hand with such arrays.",
            ) from error

    def _wrong(self, got: object, expected: str, do: str = "Mend the function: see docs/submit.md.") -> BenchmarkError:
        return BenchmarkError(f"value of metric {self.target}", got=got, expected=expected, do=do)


def load_scorer(target: str, low: float | None = None, high: float | None = None) -> Scorer:
    """Imports a metric.

    A function that belongs to a registered metric is that metric, with its name, direction and range.

    Args:
        target: ``package.module:name`` of a function or of a :class:`benchmark.api.Metric`.
        low: Smallest possible value of a bare function.
        high: Its largest possible value.

    Raises:
        BenchmarkError: If it does not import, is no metric of predictions, or its parameters do not fit.
    """
    found = _imported(target)
    if not isinstance(found, Metric):
        known = next((metric for metric in registered_metrics("generalization") if metric.function is found), None)
        found = known or _bare(target, found)
    elif found.family != "generalization":
        raise BenchmarkError(
            f"metric {target} is of the family {found.family!r}",
            expected="a metric of predictions (family 'generalization')",
            do="Heatmaps are not stored, so their metrics need the models: see docs/submit.md.",
        )
    if (low, high) != (None, None):
        found = replace(found, low=-math.inf if low is None else low, high=math.inf if high is None else high)
    if not found.low < found.high:
        raise BenchmarkError(f"range of metric {target}", got=[found.low, found.high], expected="low below high")
    return Scorer(found, target, _weight(target, found.function))


def _imported(target: str) -> Any:
    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        raise BenchmarkError("--metric", got=target, expected="package.module:name, such as my_metrics:top2")
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise BenchmarkError(
            f"module {module!r} of the metric cannot be imported",
            got=f"{type(error).__name__}: {error}",
            do=f"Try `python -c 'import {module}'` here; a file my_metrics.py in this folder is the module my_metrics.",
        ) from error
    try:
        return attrgetter(name)(loaded)
    except AttributeError:
        names = sorted(each for each, value in vars(loaded).items() if callable(value) and not each.startswith("_"))
        raise BenchmarkError(
            f"module {module!r} has no {name!r}", got=", ".join(names)[:300], expected="the name of a function in it"
        ) from None


def _bare(target: str, function: Any) -> Metric:
    if not callable(function) or inspect.isclass(function):
        raise BenchmarkError(f"metric {target}", got=type(function).__name__, expected=f"{CONTRACT}, or a Metric")
    name = target.rpartition(":")[2].rpartition(".")[2]
    return Metric(name, "generalization", function, True, -math.inf, math.inf, "unknown", target)


def _weight(target: str, function: Callable[..., Any]) -> str | None:
    """How the function takes weights, from its signature."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise BenchmarkError(
            f"metric {target} does not tell its parameters", expected=CONTRACT, do="Wrap it in a `def`."
        ) from error
    placed = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    weights = [each for each in parameters if each.name in WEIGHTS and each.kind is not each.VAR_KEYWORD]
    asked = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    others = [each.name for each in asked if each not in (*placed[:2], *weights) and each.default is each.empty]
    first = [each.name for each in placed[:2]]
    if len(first) < 2 or others or len(weights) > 1 or any(name in WEIGHTS for name in first):
        told = f"({', '.join(map(str, parameters))})"
        expected = f"{CONTRACT}; weights are called {', '.join(WEIGHTS)}"
        raise BenchmarkError(f"parameters of metric {target}", got=told, expected=expected, do="Wrap it in a `def`.")
    if not weights:
        return None
    if weights[0].kind is not weights[0].POSITIONAL_ONLY:
        return weights[0].name
    if placed.index(weights[0]) != 2:
        raise BenchmarkError(f"parameters of metric {target}", expected=CONTRACT, do="Make weights the third.")
    return ""
