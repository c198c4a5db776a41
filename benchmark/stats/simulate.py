"""Do 95 % intervals hold the truth 95 times in 100? Experiments on a population whose truth is known.

``logit P(seed s is right on image j of patient i) = mean + seed_s + patient_i + image_ij``, with independent normal
effects of mean 0; given them, every answer is an independent toss. Patients and images are equally hard for all seeds,
so that seeds share a part of their errors. The truth is the expected accuracy of a new training on a new image,
``E sigmoid(mean + sd Z)`` with ``sd² = seed_sd² + patient_sd² + image_sd²`` and standard normal ``Z``. A repetition
trains new seeds and tests them on new patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmark.api import Floats, Ints
from benchmark.errors import BenchmarkError
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.practices import PRACTICES, Trial

COLUMNS = ("interval", "seeds", "clusters", "nominal", "coverage", "width", "repetitions")

NODES = 100
"""Of the quadrature, which then has more than ten right digits."""


@dataclass(frozen=True)
class Population:
    """Where the trainings and the test images of a repetition come from.

    Attributes:
        patients: Patients of a test sample, at least 2.
        images: Images of each patient; 1 is a sample without clusters.
        mean: Logit of being right where all effects are 0.
        seed_sd: Standard deviation of the effect of a training, in logits.
        patient_sd: Of a patient.
        image_sd: Of an image.
    """

    patients: int
    images: int
    mean: float = 1.5
    seed_sd: float = 0.35
    patient_sd: float = 1.0
    image_sd: float = 1.0

    def __post_init__(self) -> None:
        if self.patients < 2 or self.images < 1 or min(self.seed_sd, self.patient_sd, self.image_sd) < 0:
            raise BenchmarkError(
                "population", got=self, expected="at least 2 patients, 1 image of each, no negative deviation"
            )

    @property
    def clusters(self) -> str:
        """``patients``, or ``none`` where every image is a patient's only one."""
        return "none" if self.images == 1 else "patients"

    def truth(self) -> float:
        """The expected accuracy, by Gauss–Hermite quadrature."""
        node, weight = np.polynomial.hermite_e.hermegauss(NODES)
        sd = np.sqrt(self.seed_sd**2 + self.patient_sd**2 + self.image_sd**2)
        return float(weight @ expit(self.mean + sd * node) / weight.sum())

    def unit(self) -> Ints:
        """``[N]`` the patient of each image."""
        return np.repeat(np.arange(self.patients), self.images)

    def sample(self, seeds: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """``[seeds, N]`` whether each of so many new trainings is right on each image of new patients."""
        trained = self.seed_sd * rng.standard_normal((seeds, 1))
        easy = self.patient_sd * rng.standard_normal(self.patients)[self.unit()]
        easy = easy + self.image_sd * rng.standard_normal(easy.shape)
        right: NDArray[np.bool_] = rng.random((seeds, len(easy))) < expit(self.mean + trained + easy)
        return right


DESIGNS = (Population(patients=480, images=1), Population(patients=60, images=8))
"""480 images without and with clusters."""


def coverage(
    population: Population, seeds: Sequence[int], repetitions: int, draws: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """How often each interval holds the truth, and how wide it is on average.

    Where several numbers of seeds are asked for, the fewer ones are the first of the same repetition.

    Args:
        population: Truth and samples.
        seeds: Numbers of seeds, each at least 2.
        repetitions: At least 1; the standard error of a coverage ``c`` is ``√(c (1 - c) / repetitions)``.
        draws: Bootstrap draws of each repetition, at least 2.
        rng: The stream.

    Returns:
        A row with ``COLUMNS`` for each practice and number of seeds. Bounds that are not defined hold nothing, and
        have no part in the width.

    Raises:
        BenchmarkError: If there are fewer than 2 seeds, 2 draws or 1 repetition.
    """
    if not seeds or min(seeds) < 2 or repetitions < 1 or draws < 2:
        raise BenchmarkError(
            "coverage",
            got=f"seeds {list(seeds)}, {repetitions} repetitions, {draws} draws",
            expected="at least 2 seeds, 1 repetition and 2 draws",
        )
    bounds = np.empty((len(PRACTICES), len(seeds), repetitions, 2))
    for repetition in range(repetitions):
        trial = one_trial(population, max(seeds), draws, rng)
        for column, number in enumerate(seeds):
            part = trial.of(number)
            bounds[:, column, repetition] = [bounds_of(part) for _, bounds_of in PRACTICES.values()]
    low, high = bounds[..., 0], bounds[..., 1]
    held = ((low <= population.truth()) & (population.truth() <= high)).mean(-1)
    with np.errstate(invalid="ignore"):
        width = np.nansum(high - low, axis=-1) / np.isfinite(high - low).sum(-1)
    return [
        {
            "interval": name,
            "seeds": number,
            "clusters": population.clusters,
            "nominal": nominal,
            "coverage": float(held[row, column]),
            "width": float(width[row, column]),
            "repetitions": repetitions,
        }
        for row, (name, (nominal, _)) in enumerate(PRACTICES.items())
        for column, number in enumerate(seeds)
    ]


def one_trial(population: Population, seeds: int, draws: int, rng: np.random.Generator) -> Trial:
    """New trainings, new patients, and bootstrap draws of both kinds; without clusters they are the same."""
    right, unit = population.sample(seeds, rng).astype(float), population.unit()
    by_unit = by_image = _accuracies(right, resample_counts(unit, draws, rng))
    if population.images > 1:
        by_image = _accuracies(right, resample_counts(np.arange(len(unit)), draws, rng))
    return Trial(right.mean(1), by_unit, by_image, population.patients, rng)


def _accuracies(right: Floats, counts: Floats) -> Floats:
    """``[S, N]``, ``[B, N]`` -> ``[S, B]``."""
    found: Floats = right @ counts.T / counts.sum(1)
    return found
