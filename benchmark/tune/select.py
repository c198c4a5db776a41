r"""Which trial of a method is taken: the rules, as functions of the trials' scores.

``iid`` sees what a person sees who does not know of the bias: validation images that carry it. There most trials are
right almost always, and which of them is the best is chance, so the one-standard-error rule applies: among trials that
cannot be told from the best, the one in which the method's own term counts most.

.. math:: a_t \ge \max_s a_s - \sqrt{\tilde p (1 - \tilde p) / \tilde n}, \qquad
          \tilde n = n + 4, \quad \tilde p = (k + 2) / \tilde n

for ``k`` of ``n`` images right in the best trial. The usual standard error, with :math:`p = k / n`, is 0 where all
images are right, and a trial with a single error less would win over any strength. Agresti and Coull's adds two right
and two wrong images: at 500 of 500 it is 0.0028, so that one error more makes no difference, and two do.

Source: Breiman, Friedman, Olshen and Stone 1984, Classification and regression trees, section 3.4.3; Hastie, Tibshirani
and Friedman 2009, The elements of statistical learning, section 7.10; Agresti and Coull 1998, The American Statistician
52:119. Deviation: the rule was made for the simplest model of a path; here the strongest takes its place.

``oracle`` sees the same images with marks that say nothing. It shows what knowledge of the bias would be worth, and is
never used for results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.errors import BenchmarkError


@dataclass(frozen=True)
class Scored:
    """What the rules see of a trial.

    Attributes:
        strength: How much the method's own term counts; ``None`` where no setting says it.
        val_accuracy: On the validation images, with the training's bias; NaN of a trial that failed.
        val_loss: Cross-entropy there.
        balanced_accuracy: On the same images with marks that say nothing.
        n_val: Number of these images.
        error: Why the trial has no scores; empty for one that has.
    """

    trial: int
    strength: float | None
    val_accuracy: float
    val_loss: float
    balanced_accuracy: float
    n_val: int
    error: str = ""


def standard_error(accuracy: float, images: int) -> float:
    """Agresti and Coull's standard error of an accuracy: above 0 also at 0 and 1."""
    share = (accuracy * images + 2) / (images + 4)
    return math.sqrt(share * (1 - share) / (images + 4))


def usable(trials: Sequence[Scored]) -> list[Scored]:
    """The trials that ended with scores.

    Raises:
        BenchmarkError: If there is none.
    """
    left = [trial for trial in trials if not trial.error]
    if not left:
        raise BenchmarkError(
            "no trial has a score",
            got=trials[0].error if trials else "no trial",
            do="Narrow the ranges of the search file, or run more trials.",
        )
    return left


def iid(trials: Sequence[Scored], direction: Literal["up", "down"] = "up") -> Scored:
    """The strongest of the trials within one standard error of the best, the one of lowest loss among equals.

    Args:
        trials: All trials of a method.
        direction: Where strength grows.

    Raises:
        BenchmarkError: If no trial has a score.
    """
    left = usable(trials)
    best = max(left, key=lambda trial: trial.val_accuracy)
    least = best.val_accuracy - standard_error(best.val_accuracy, best.n_val)
    sign = 1 if direction == "up" else -1
    return min(
        (trial for trial in left if trial.val_accuracy >= least),
        key=lambda trial: (-sign * (trial.strength or 0.0), trial.val_loss, trial.trial),
    )


def oracle(trials: Sequence[Scored]) -> Scored:
    """The trial of highest accuracy without bias, the first among equals.

    Raises:
        BenchmarkError: If no trial has a score.
    """
    return min(usable(trials), key=lambda trial: (-trial.balanced_accuracy, trial.trial))


def both(trials: Sequence[Scored], direction: Literal["up", "down"] = "up") -> dict[int, str]:
    """What each rule chooses: trial to ``iid``, ``oracle`` or ``iid+oracle``; empty where no trial has a score."""
    if all(trial.error for trial in trials):
        return {}
    first, second = iid(trials, direction).trial, oracle(trials).trial
    return {first: "iid+oracle"} if first == second else {first: "iid", second: "oracle"}
