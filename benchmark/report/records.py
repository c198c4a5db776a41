"""What a results folder holds, as the report sees it; ``None`` is an empty field: not defined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.cell import Cell
from benchmark.report.measures import Agreement, Comparison, Measure, Slope
from benchmark.report.words import SHIFTS, VARIANTS


@dataclass(frozen=True)
class Run:
    """One cell of the suite: how it was trained and on what."""

    cell: Cell
    needs: str
    source: str
    trained_through: str | None
    backbone: str
    epochs: int
    best_epoch: list[int]
    data: str
    classes: int
    title: str
    masks_input: bool = False
    code: str = ""
    registered_bias: str = ""
    bias_settings: Mapping[str, object] = field(default_factory=dict)
    not_defined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """A row of ``summary.csv`` without its key."""

    n_units: int | None
    n_seeds: int | None
    value: float | None
    low: float | None
    high: float | None
    diff: float | None
    diff_low: float | None
    diff_high: float | None
    p_holm: float | None


@dataclass(frozen=True)
class Claim:
    """A row of ``claims.csv``; what has a default may be missing in an older one."""

    claim: str
    verdict: str
    evidence: str
    effect: float | None
    low: float | None
    high: float | None
    p: float | None
    name: str = ""
    source: str = ""
    test: str = ""
    family: str = ""
    alpha: float | None = None
    n_units: int | None = None
    n_seeds: int | None = None


@dataclass(frozen=True)
class Cost:
    """A row of ``costs.csv``: ratios to the reference; bounds are ``None`` where the table has none."""

    method: str
    needs: str
    step_ratio: float
    memory_ratio: float
    inference_ratio: float
    params: float
    train_seconds: float
    step_ratio_low: float | None = None
    step_ratio_high: float | None = None
    inference_ratio_low: float | None = None
    inference_ratio_high: float | None = None


@dataclass(frozen=True)
class Trial:
    """A trial of a method's settings.

    Attributes:
        settings: The searched ones, as JSON.
        selected: The choices that fell on it: ``iid``, ``oracle``.
        val_accuracy: On the validation images as in training; ``None`` if the trial failed.
        balanced_accuracy: On the same images with marks that say nothing.
    """

    settings: str
    selected: tuple[str, ...]
    val_accuracy: float | None
    balanced_accuracy: float | None


@dataclass(frozen=True)
class Selection:
    """What is shown of a suite; ``None`` is all. Bold and p-values stay those of the whole suite."""

    methods: frozenset[str] | None = None
    metrics: frozenset[str] | None = None

    def has(self, metric: str) -> bool:
        return self.metrics is None or metric in self.metrics


@dataclass
class Task:
    """One dataset under one bias, and every method that learnt it.

    Attributes:
        summary: By method, variant and metric.
        scores: Value by method, seed, variant and metric.
        trials: By method, of those whose settings were searched.
        unfit: By method and explainer: why its maps decide nothing.
        families: Of each metric.
        whole: The task with all its methods and metrics, if this is a selection of it: it decides what is best.
        kept: Metrics that nobody chose and that stay for the headline alone.
    """

    key: str
    runs: list[Run]
    summary: dict[tuple[str, str, str], Summary] = field(default_factory=dict)
    scores: dict[tuple[str, int, str, str], float | None] = field(default_factory=dict)
    trials: dict[str, list[Trial]] = field(default_factory=dict)
    unfit: dict[tuple[str, str], str] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    whole: Task | None = None
    kept: frozenset[str] = frozenset()
    _variants: dict[str, set[str]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _seeds: dict[str, set[int]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _counted: tuple[int, int] = field(default=(0, 0), init=False, repr=False, compare=False)

    @property
    def methods(self) -> list[str]:
        return [run.cell.method for run in self.runs]

    @property
    def title(self) -> str:
        """The title that all cells share, else the names."""
        titles = {run.title for run in self.runs}
        return titles.pop() if len(titles) == 1 and "" not in titles else self.key.replace("-", " \u00d7 ")

    @property
    def classes(self) -> int:
        return self.runs[0].classes

    def metrics(self) -> set[str]:
        return {metric for _, _, metric in self.summary}

    def variants(self, metric: str) -> set[str]:
        self._count()
        return set(self._variants.get(metric, ()))

    def _count(self) -> None:
        """Looks through all rows once, and again when rows came: tables and figures ask hundreds of times."""
        if self._counted == (len(self.summary), len(self.scores)):
            return
        self._variants, self._seeds = {}, {}
        for _, variant, metric in self.summary:
            self._variants.setdefault(metric, set()).add(variant)
        for method, seed, _, _ in self.scores:
            self._seeds.setdefault(method, set()).add(seed)
        self._counted = (len(self.summary), len(self.scores))

    @property
    def tested(self) -> list[str]:
        """The variants that models were tested on, in their order."""
        found = self.variants("accuracy") | self.variants("accuracy_gap")
        return [name for name in VARIANTS if name in found]

    @property
    def shift(self) -> str:
        """The variant that the headline compares iid with; empty if there is none but iid."""
        tested = self.tested
        return next((name for name in SHIFTS if name in tested), "")

    def seeds(self, method: str) -> list[int]:
        self._count()
        return sorted(self._seeds.get(method, ()))


@dataclass(frozen=True)
class Skip:
    """A task that was left out with its data set, why, and what brings it in."""

    task: str
    reason: str
    do: str


@dataclass(frozen=True)
class Results:
    """A results folder, read and checked; ``claims`` is ``None`` where the file is absent.

    ``commits`` names the commit that last changed a cell's stored predictions, where that was asked for.
    """

    folder: Path
    suite: str
    version: str
    code: str
    seeds: list[int]
    packages: dict[str, str]
    protocol: list[str]
    tasks: list[Task]
    claims: list[Claim] | None
    costs: list[Cost] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    measures: dict[str, Measure] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    agreement: list[Agreement] = field(default_factory=list)
    slopes: list[Slope] = field(default_factory=list)
    selection: Selection | None = None
    commits: Mapping[str, str] = field(default_factory=dict)
