r"""What a model does when the background is taken away, exchanged or marked: no explainer is asked.

Each function works on what a model said of ``M`` images under ``R`` changes, as numbers: 1 for right and 0 for wrong,
a probability, or a predicted class. NaN is an answer that is not there. It is left out of a mean, and a mean of
nothing is NaN.
"""

from __future__ import annotations

import numpy as np

from benchmark.api import Floats, Metric
from benchmark.errors import BenchmarkError

MIXED = "Xiao, Engstrom, Ilyas and Madry 2021, ICLR (arXiv 2006.09994)"
NOISE = "Moayeri, Pope, Balaji and Feizi 2022, CVPR (arXiv 2201.10766)"
CHANCE = "1/K for K equal classes"


def mean_of_defined(values: Floats) -> Floats:
    """The mean over the last axis, ``[..., R] -> [...]``, of what is not NaN."""
    values = np.asarray(values, np.float64)
    count = (~np.isnan(values)).sum(-1)
    return np.asarray(np.divide(np.nansum(values, -1), count, out=np.full(count.shape, np.nan), where=count > 0))


def flip_rate(before: Floats, after: Floats) -> Floats:
    """Share of the changes under which the predicted class is another: ``before [M]``, ``after [M, R]`` -> ``[M]``."""
    before, after = np.asarray(before, np.float64)[..., None], np.asarray(after, np.float64)
    return mean_of_defined(np.where(np.isnan(before + after), np.nan, before != after))


def effect(before: Floats, after: Floats) -> Floats:
    r"""``mean |p_y - p'_y|``, the label's probability ``before [M]`` and ``after [M, R]`` -> ``[M]``."""
    return mean_of_defined(np.abs(np.asarray(before, np.float64)[..., None] - after))


def all_right(correct: Floats) -> Floats:
    """1 if right every time, else 0: ``[M, R] -> [M]``; NaN if an answer is missing, since fewer are easier."""
    return np.asarray(np.asarray(correct, np.float64).min(-1))


def difference(first: Floats, second: Floats) -> Floats:
    """``first - second``, NaN where either is."""
    return np.asarray(first, np.float64) - np.asarray(second, np.float64)


def relative_foreground_sensitivity(background: Floats, foreground: Floats) -> Floats:
    r"""``RFS = (a_bg - a_fg) / (2 min(ā, 1 - ā))`` with ``ā = (a_bg + a_fg) / 2``.

    The denominator is the largest difference that the mean accuracy allows. So models of different robustness to noise
    can be compared.

    Args:
        background: ``[...]`` accuracies with noise in the background.
        foreground: ``[...]`` accuracies with noise in the foreground.

    Returns:
        ``[...]`` in [-1, 1]; 1: only the foreground matters. NaN where noise never or always leads to an error, or
        where an accuracy is NaN.

    Raises:
        BenchmarkError: If shapes disagree or an accuracy is outside [0, 1].
    """
    background, foreground = np.asarray(background, np.float64), np.asarray(foreground, np.float64)
    for name, values in (("background", background), ("foreground", foreground)):
        if values.shape != background.shape or (values < 0).any() or (values > 1).any():
            raise BenchmarkError(
                f"accuracies with noise in the {name}",
                got=f"shape {values.shape}, {np.nanmin(values, initial=0)} to {np.nanmax(values, initial=0)}",
                expected=f"shape {background.shape}, within [0, 1]",
            )
    mean = (background + foreground) / 2
    most = 2 * np.minimum(mean, 1 - mean)
    ratio = np.divide(background - foreground, most, out=np.full(mean.shape, np.nan), where=most > 0)
    return np.asarray(np.clip(ratio, -1, 1))


BACKGROUND_SWAP_FLIP_RATE = Metric(
    name="background_swap_flip_rate",
    family="behaviour",
    function=flip_rate,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="0 for a constant answer, 1 - 1/K for random ones",
    source=f"share of flips in front of other classes' backgrounds, in images as Mixed-Rand of {MIXED}",
)
BACKGROUND_SWAP_EFFECT = Metric(
    name="background_swap_effect",
    family="behaviour",
    function=effect,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="0 for a constant answer",
    source=f"mean change of the label's probability in front of other classes' backgrounds, as Mixed-Rand of {MIXED}",
)
SWAPPED_OTHER_ACCURACY = Metric(
    name="swapped_other_accuracy",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance=CHANCE,
    source=f"Mixed-Rand of {MIXED}, without the image's own class",
)
SWAPPED_SAME_ACCURACY = Metric(
    name="swapped_same_accuracy",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance=CHANCE,
    source=f"Mixed-Same of {MIXED}",
)
BACKGROUND_GAP = Metric(
    name="background_gap",
    family="behaviour",
    function=difference,
    higher_is_better=False,
    low=-1.0,
    high=1.0,
    chance="0",
    source=f"BG-Gap of {MIXED}: Mixed-Same minus Mixed-Rand, so that seams cancel out",
)
ADVERSARIAL_BACKGROUND_ROBUSTNESS = Metric(
    name="adversarial_background_robustness",
    family="behaviour",
    function=all_right,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="K^-5 for random answers in front of 5 backgrounds, 1/K for a constant one",
    source=f"right in front of every background tried, after the adversarial backgrounds of {MIXED}; 5 here",
)
ONLY_BACKGROUND_ACCURACY = Metric(
    name="only_background_accuracy",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance=CHANCE,
    source=f"Only-BG-T of {MIXED}, the box filled from the nearest background in place of tiles",
)
NO_FOREGROUND_ACCURACY = Metric(
    name="no_foreground_accuracy",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance=f"{CHANCE}; more where the silhouette is seen",
    source=f"No-FG of {MIXED}",
)
FOREGROUND_NOISE_ACCURACY = Metric(
    name="foreground_noise_accuracy",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance=CHANCE,
    source=f"a_fg of {NOISE}, noise of equal norm in both regions; read it beside background_noise_accuracy",
)
BACKGROUND_NOISE_ACCURACY = Metric(
    name="background_noise_accuracy",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance=CHANCE,
    source=f"a_bg of {NOISE}, noise of equal norm in both regions",
)
RELATIVE_FOREGROUND_SENSITIVITY = Metric(
    name="relative_foreground_sensitivity",
    family="behaviour",
    function=relative_foreground_sensitivity,
    higher_is_better=True,
    low=-1.0,
    high=1.0,
    chance="0: noise harms as much in front as behind",
    source=f"RFS of {NOISE}",
)
INJECTION_GAP = Metric(
    name="injection_gap",
    family="behaviour",
    function=difference,
    higher_is_better=False,
    low=-1.0,
    high=1.0,
    chance="0",
    source="right without a mark minus right with another class's, as the IN-W gap of Li et al. 2023 (2212.04825)",
)
INJECTION_PULL = Metric(
    name="injection_pull",
    family="behaviour",
    function=difference,
    higher_is_better=False,
    low=-1.0,
    high=1.0,
    chance="0",
    source="probability that another class's mark adds to its class, as the carton gap of Li et al. 2023 (2212.04825)",
)
BIAS_DECODABILITY = Metric(
    name="bias_decodability",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="0.5",
    source="linear probe (Alain and Bengio 2016, arXiv 1610.01644) for the mark within each class: context, no proof",
)
PREDICTED_MASK_ACCURACY = Metric(
    name="predicted_mask_accuracy",
    family="behaviour",
    function=mean_of_defined,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance=CHANCE,
    source="accuracy of a method with masks at test, given those of a plain pixel classifier, not the true ones",
)
DOSE_RESPONSE_SLOPE = Metric(
    name="dose_response_slope",
    family="behaviour",
    function=np.polyfit,
    higher_is_better=True,
    low=-np.inf,
    high=np.inf,
    chance="0: accuracy does not depend on the dose",
    source="least-squares slope of accuracy over the doses of one dial (benchmark.slopes)",
)
