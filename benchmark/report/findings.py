"""What the headline table says, in words: one sentence a method, decided by the interval of its gap.

The gap is that of the task's hardest variant (:attr:`benchmark.report.records.Task.shift`).
"""

from __future__ import annotations

from benchmark.report.headline import find
from benchmark.report.numbers import MINUS, estimate, fraction
from benchmark.report.records import Summary, Task
from benchmark.report.words import SHIFTS

MARGIN = 0.05
"""A loss of accuracy that small is none to speak of."""

MARGIN_NOTE = (
    f"Margin: {MARGIN} of accuracy, by which these sentences call a loss small. A method keeps its accuracy if the "
    "interval of its gap reaches 0 and ends within the margin."
)


def sentences(task: Task) -> list[str]:
    """One sentence a method: what the interval of iid minus the shifted variant allows to say.

    A loss is shown where it lies above 0, a small one where it lies between 0 and the margin, none where it reaches 0
    and ends below the margin; a wider one decides nothing, and is never told as if it showed that there is no loss.
    """
    return [_sentence(task, method) for method in task.methods]


def _sentence(task: Task, method: str) -> str:
    if not task.shift:
        return f"{method}: not decided, for iid is the only variant."
    gap, where = find(task, method, task.shift, "accuracy_gap"), SHIFTS[task.shift]
    if gap is not None and gap.value == 0 and gap.low is None:
        return f"{method} loses nothing {where}: the same score in every seed, and no variance to make an interval of."
    if gap is None or gap.value is None or gap.low is None or gap.high is None:
        return f"{method}: not decided, for the gap iid {MINUS} {task.shift} has no interval."
    accuracy = _accuracy(task, method)
    if gap.low <= 0 and gap.high <= MARGIN:
        return f"{method} keeps its accuracy {where}, to {MARGIN} (gap {_words(gap)}){accuracy}."
    if gap.low <= 0:
        line = f"{method}: undecided. {where.capitalize()}, accuracy falls by {_words(gap)}{accuracy}"
        return f"{line}: the trainings differ too much, or are too few, to tell."
    if gap.high <= MARGIN:
        return f"{method} loses {_words(gap)} {where}, less than the margin of {MARGIN}{accuracy}."
    line = f"{method} loses accuracy {where}: it falls by {_words(gap)}{accuracy}"
    loss = find(task, method, None, "heatmap_loss")
    if loss is not None and loss.value is not None:
        line += f". Its heatmap loss, {_words(loss, bounded=False)}, does not tell so"
    return line + "."


def _accuracy(task: Task, method: str) -> str:
    """From where to where, with the range of the seeds."""
    start, end = (find(task, method, variant, "accuracy") for variant in ("iid", task.shift))
    if start is None or end is None or start.value is None or end.value is None:
        return ""
    text = f", from {fraction(start.value)} to {fraction(end.value)}"
    seeds = [task.scores.get((method, seed, task.shift, "accuracy")) for seed in task.seeds(method)]
    known = [value for value in seeds if value is not None]
    return f"{text} (seeds: {fraction(min(known))} to {fraction(max(known))})" if len(known) > 1 else text


def _words(row: Summary, *, bounded: bool = True) -> str:
    entry = estimate(row.value, row.low, row.high, reason="", bounded=bounded)
    return f"{entry.text} {entry.interval}"
