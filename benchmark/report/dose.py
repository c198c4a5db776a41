"""Dose and response: what more of one bias does to accuracy.

A suite is a study of doses if all its tasks have one data set and plant one registered bias, with settings that
differ in the dials ``correlation`` and ``strength`` alone. A series moves one dial and holds the other, at the value
that most doses share (of equals the greatest).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.errors import BenchmarkError
from benchmark.report.headline import find
from benchmark.report.load import load
from benchmark.report.records import Results, Summary, Task
from benchmark.report.select import select

DIALS = {
    "correlation": "probability that an image of training carries the mark of its own class",
    "strength": "0 leaves the image alone, 1 is the mark at its clearest",
}
VARIANTS = ("deceiving", "iid")
"""Of which the accuracy is shown: the response, and what it is compared with."""

NEIGHBOUR, HOST = "dose", "default"
"""The suite whose study the report of another shows beside its own numbers, and that other."""


@dataclass(frozen=True)
class Series:
    """One dial at several values.

    Attributes:
        dial: Of :data:`DIALS`.
        held: Name and value of the dial that does not move.
        tasks: Dose to task, in ascending order.
    """

    dial: str
    held: tuple[str, float]
    tasks: Mapping[float, Task]

    @property
    def title(self) -> str:
        return f"{self.dial}, at {self.held[0]} {self.held[1]:g}"


@dataclass(frozen=True)
class Study:
    """A suite that gives one bias in several doses.

    Attributes:
        results: Of that suite.
        bias: The registered name of the bias.
        series: One a dial that has two doses or more.
    """

    results: Results
    bias: str
    series: tuple[Series, ...]

    @property
    def methods(self) -> list[str]:
        """The methods of all tasks, in the order of the first that has them."""
        return list(dict.fromkeys(method for task in self.results.tasks for method in task.methods))

    @property
    def classes(self) -> int:
        return self.results.tasks[0].classes


def response(task: Task, method: str, variant: str) -> Summary | None:
    """The accuracy of a method at one dose; ``None`` where it is not defined."""
    row = find(task, method, variant, "accuracy")
    return None if row is None or row.value is None else row


def study_for(results: Results) -> Study | None:
    """The study that the report of a suite shows: its own, or in the default suite's that of the suite beside it.

    A study that keeps another protocol is left out, for its numbers do not compare with those beside them. So is any
    where a selection leaves out accuracy; a selection of methods is that of the study, too.

    Raises:
        BenchmarkError: If the folder beside is broken, or cells of one task tell other settings of their bias.
    """
    if results.selection is not None and not results.selection.has("accuracy"):
        return None
    if (own := study_of(results)) is not None or results.suite != HOST:
        return own
    folder = results.folder.resolve().parent / NEIGHBOUR
    if not (folder / "suite.json").is_file():
        return None
    try:
        other = select(load(folder), results.selection)
    except BenchmarkError as error:
        where = f"suite {NEIGHBOUR}, which this report shows too: {error.what}"
        do = f"Run `dvc repro pipelines/{NEIGHBOUR}/dvc.yaml`, or delete its results."
        raise BenchmarkError(where, got=error.got, expected=error.expected, do=do) from error
    return study_of(other) if set(other.protocol) <= set(results.protocol) else None


def study_of(results: Results) -> Study | None:
    """The study that a suite is, or ``None``.

    Raises:
        BenchmarkError: If cells of one task tell other settings of their bias.
    """
    dialled: list[tuple[dict[str, float], Task]] = []
    kinds = []
    for task in results.tasks:
        settings = _settings(task)
        dials = {name: settings.pop(name, None) for name in DIALS}
        numbers = {n: float(v) for n, v in dials.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        if len(numbers) < len(DIALS):
            return None
        dialled.append((numbers, task))
        kinds.append((task.runs[0].cell.dataset, task.runs[0].registered_bias, settings))
    if any(kind != kinds[0] for kind in kinds) or len({tuple(dials.values()) for dials, _ in dialled}) < len(kinds):
        return None
    found = [_series(dial, other, dialled) for dial, other in zip(DIALS, reversed(DIALS), strict=True)]
    series = tuple(one for one in found if len(one.tasks) > 1) if dialled else ()
    return Study(results, kinds[0][1], series) if series else None


def _settings(task: Task) -> dict[str, object]:
    """The settings of the bias, which all cells of a task share."""
    first = task.runs[0]
    for run in task.runs:
        if (run.registered_bias, run.bias_settings) != (first.registered_bias, first.bias_settings):
            raise BenchmarkError(
                f"suite.json: cell {run.cell.key}: settings of its bias",
                got=f"{run.registered_bias} {dict(run.bias_settings)}",
                expected=f"{first.registered_bias} {dict(first.bias_settings)}, as in {first.cell.key}",
                do="Score the older of the two again.",
            )
    return dict(first.bias_settings)


def _series(dial: str, other: str, dialled: list[tuple[dict[str, float], Task]]) -> Series:
    """The longest series along a dial."""
    along: dict[float, dict[float, Task]] = {}
    for dials, task in dialled:
        along.setdefault(dials[other], {})[dials[dial]] = task
    held = max(along, key=lambda value: (len(along[value]), value), default=0.0)
    return Series(dial, (other, held), dict(sorted(along.get(held, {}).items())))
