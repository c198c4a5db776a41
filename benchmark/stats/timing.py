"""How long the bootstrap of a whole table takes, and how long ``scipy.stats.bootstrap`` takes for the same numbers.

A table is cells × variants, each with scores of its own; the draws of a variant are common to its cells. The slow way
draws rows and computes each metric anew on them, cell by cell; it takes hours, so a few draws stand for all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.stats import bootstrap

from benchmark.api import Floats, Ints
from benchmark.metrics.generalization import accuracy, macro_f1
from benchmark.metrics.ranking import macro_auroc
from benchmark.stats.bootstrap import resample_counts, resample_patterns

Statistic = Callable[[Floats, Ints, Floats | None], Floats]

DRAWS = 10_000
"""Of a published table."""

OF_CLASSES: tuple[Statistic, ...] = (accuracy, macro_f1)
OF_RANKS: tuple[Statistic, ...] = (macro_auroc,)


@dataclass(frozen=True)
class Job:
    """A table to bootstrap.

    Attributes:
        case: Its name.
        metrics: Computed of every cell and variant.
        cells: Number of cells.
        variants: Number of variants of each.
        clusters: Number of patients, with the same number of images each; 0: each image is a unit.
        patterns: Draw what each cell's confusion matrix counts instead of images.
        draws: Bootstrap draws.
        units: Images.
        classes: Classes.
    """

    case: str
    metrics: tuple[Statistic, ...]
    cells: int = 20
    variants: int = 4
    clusters: int = 0
    patterns: bool = False
    draws: int = DRAWS
    units: int = 2_000
    classes: int = 10


JOBS = (
    Job("accuracy_and_macro_f1", OF_CLASSES),
    Job("accuracy_and_macro_f1_clusters", OF_CLASSES, clusters=250),
    Job("accuracy_and_macro_f1_patterns", OF_CLASSES, patterns=True),
    Job("macro_auroc", OF_RANKS, cells=1, variants=1),
    Job("macro_auroc_clusters", OF_RANKS, cells=1, variants=1, clusters=250),
)


@dataclass(frozen=True)
class Row:
    """A line of ``bench.csv``.

    Attributes:
        case: Name of the job: 20 cells × 4 variants, of AUROC one cell and variant.
        draws: Bootstrap draws.
        units: Images.
        classes: Classes.
        clusters: Patients; 0: each image is a unit.
        seconds: Of one core, the draws included: the least of all repeats.
        ratio_to_scipy: ``seconds`` ÷ what ``scipy.stats.bootstrap`` takes, scaled up from ``scipy_draws``.
        repeats: Timings.
        threads: Of the matrix products.
        numpy: Its version.
        scipy: Its version.
        scipy_draws: Draws of one cell and variant that SciPy was timed on.
    """

    case: str
    draws: int
    units: int
    classes: int
    clusters: int
    seconds: float
    ratio_to_scipy: float
    repeats: int
    threads: int
    numpy: str
    scipy: str
    scipy_draws: int


@dataclass(frozen=True, eq=False)
class Shown:
    """A variant: its images, and what each cell makes of them.

    Attributes:
        label: ``[N]``.
        unit: ``[N]``.
        scores: ``[C, N, K]``, the right class ahead in about four of five images.
    """

    label: Ints
    unit: NDArray[np.str_]
    scores: Floats

    @classmethod
    def made_up(cls, job: Job, rng: np.random.Generator) -> Shown:
        label = rng.integers(job.classes, size=job.units)
        unit = rng.permutation(np.arange(job.units) % (job.clusters or job.units)).astype(str)
        scores = rng.normal(size=(job.cells, job.units, job.classes)) + 2.5 * np.eye(job.classes)[label]
        return cls(label, unit, scores)


def fast(job: Job, variants: Sequence[Shown], rng: np.random.Generator) -> Floats:
    """The draws of the whole table, ``[variants, cells, metrics, draws]``."""
    found: Floats = np.empty((job.variants, job.cells, len(job.metrics), job.draws))
    for v, shown in enumerate(variants):
        counts = None if job.patterns else resample_counts(shown.unit, job.draws, rng)
        for c, score in enumerate(shown.scores):
            rows, weight = np.arange(job.units), counts
            if job.patterns:
                pattern = shown.label * job.classes + score.argmax(1)
                rows = np.unique(pattern, return_index=True)[1]
                weight = resample_patterns(pattern, job.draws, rng)
            found[v, c] = [metric(score[rows], shown.label[rows], weight) for metric in job.metrics]
    return found


def slow(job: Job, shown: Shown, draws: int, rng: np.random.Generator) -> Floats:
    """The draws of the first cell by SciPy, row by row, ``[metrics, draws]``."""
    names, member = np.unique(shown.unit, return_inverse=True)
    images, alone = [np.flatnonzero(member == index) for index in range(len(names))], np.argsort(member)

    def statistic(units: Floats) -> Floats:
        rows = np.concatenate([images[unit] for unit in units]) if job.clusters else alone[units]
        return np.array([metric(shown.scores[0][rows], shown.label[rows], None) for metric in job.metrics])

    found = bootstrap(
        (np.arange(len(names)),), statistic, n_resamples=draws, vectorized=False, method="percentile", rng=rng
    )
    return np.asarray(found.bootstrap_distribution)


def measured(job: Job, repeats: int, scipy_draws: int) -> Row:
    """Times a job; processor time, so that what else the machine does hardly counts."""
    rng = np.random.default_rng(0)
    variants = [Shown.made_up(job, rng) for _ in range(job.variants)]
    ours = min(_seconds(lambda: fast(job, variants, rng)) for _ in range(repeats))
    theirs = _seconds(lambda: slow(job, variants[0], scipy_draws, rng)) / scipy_draws
    theirs *= job.draws * job.cells * job.variants
    return Row(
        case=job.case,
        draws=job.draws,
        units=job.units,
        classes=job.classes,
        clusters=job.clusters,
        seconds=ours,
        ratio_to_scipy=ours / theirs,
        repeats=repeats,
        threads=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        numpy=np.__version__,
        scipy=scipy.__version__,
        scipy_draws=scipy_draws,
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
