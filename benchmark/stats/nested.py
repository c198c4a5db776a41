"""The nested bootstrap: new trainings and new test units at once, a cross-check of the headline interval.

Draw ``b`` takes ``S`` of the ``S`` seeds with replacement and means what they score on the units of draw ``b``; the
interval lies between the percentiles of these means. It assumes no shape, but ``S`` seeds drawn with replacement
spread ``(S - 1) / S`` of their variance: with 3 to 5 seeds the interval is a little short, which is why the headline is
:func:`benchmark.stats.interval.variance_sum`.
"""

from __future__ import annotations

import numpy as np

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.stats.interval import DEFINED_DRAWS, ROUNDING, Interval


def nested(
    seed_draws: Floats,
    rng: np.random.Generator,
    *,
    values: Floats | None = None,
    level: float = 0.95,
    low: float = -np.inf,
    high: float = np.inf,
) -> Interval:
    """Percentile interval of a seed mean over new units and new trainings.

    Args:
        seed_draws: ``[S, B]`` each seed's value under each bootstrap draw of the units; NaN where not defined.
        rng: The stream that draws the seeds.
        values: ``[S]`` one value a seed, of all units; by default the mean of the draws stands for it.
        level: Nominal coverage in (0, 1).
        low: Smallest possible value; bounds are clipped to it.
        high: Largest possible value; bounds are clipped to it.

    Returns:
        ``df`` is NaN: there is no t quantile. Bounds are not defined for one seed, without any variance, or where too
        few draws are defined.

    Raises:
        BenchmarkError: If shapes disagree, there are fewer than 2 draws, or the level is not in (0, 1).

    Source:
        Davison and Hinkley, Bootstrap Methods, 1997, section 3.8.
    """
    seed_draws = np.asarray(seed_draws, float)
    _check(seed_draws, values, level)
    value = _value(seed_draws, values)
    if len(seed_draws) < 2:
        return _undefined(value, "one seed: training variance cannot be told")
    draws = nested_draws(seed_draws, rng)
    defined = draws[np.isfinite(draws)]
    if len(defined) < max(2, DEFINED_DRAWS * len(draws)):
        return _undefined(value, f"the value is defined in {len(defined)} of {len(draws)} draws only")
    if not np.isfinite(value):
        return _undefined(value, "the value is not defined for every seed")
    se = float(defined.std(ddof=1))
    if se <= ROUNDING * max(1.0, abs(value)):
        return _undefined(value, "no variance between units or seeds", se=0.0)
    below, above = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, max(low, float(below)), min(high, float(above)), se, np.nan)


def nested_draws(seed_draws: Floats, rng: np.random.Generator) -> Floats:
    """The means themselves; in each draw the same seeds for all methods, as matched seeds ask.

    Args:
        seed_draws: ``[..., S, B]`` of one method or of several.
        rng: The stream that draws the seeds.

    Returns:
        ``[..., B]``; NaN where a drawn seed is not defined.
    """
    seed_draws = np.asarray(seed_draws, float)
    seeds, draws = seed_draws.shape[-2:]
    picks = rng.integers(seeds, size=(seeds, draws))
    mean: Floats = seed_draws[..., picks, np.arange(draws)].mean(-2)
    return mean


def _value(seed_draws: Floats, values: Floats | None) -> float:
    if values is not None:
        return float(np.mean(values))
    means = seed_draws.mean(0)
    means = means[np.isfinite(means)]
    return float(means.mean()) if len(means) else np.nan


def _undefined(value: float, reason: str, se: float = np.nan) -> Interval:
    return Interval(value, np.nan, np.nan, se, np.nan, reason)


def _check(seed_draws: Floats, values: Floats | None, level: float) -> None:
    if seed_draws.ndim != 2 or not seed_draws.shape[0] or seed_draws.shape[1] < 2:
        raise BenchmarkError(
            "draws of a nested bootstrap", got=f"shape {seed_draws.shape}", expected="[S, B] with S >= 1, B >= 2"
        )
    if values is not None and np.shape(values) != seed_draws.shape[:1]:
        raise BenchmarkError(
            "values of a nested bootstrap", got=f"shape {np.shape(values)}", expected=f"[{len(seed_draws)}]"
        )
    if not 0 < level < 1:
        raise BenchmarkError("level of an interval", got=level, expected="a number between 0 and 1", do="Try 0.95.")
