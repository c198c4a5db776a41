"""What each method costs beside the reference: the table of costs.csv."""

from __future__ import annotations

from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.report.numbers import Entry, undefined
from benchmark.report.records import Cost, Results
from benchmark.report.rows import Line, read_lines
from benchmark.report.tables import Head, Row, Table
from benchmark.report.words import REFERENCE

COLUMNS = ("method", "step_ratio", "memory_ratio", "inference_ratio", "params", "train_seconds", "needs")
NUMBERS = COLUMNS[1:-1]
TIMED = ("step_ratio", "inference_ratio")
"""They may have bounds, in columns ``_low`` and ``_high``: the 95 % interval of the median over rounds."""


def read_costs(path: Path, methods: set[str]) -> list[Cost]:
    """The rows of ``costs.csv``; none where the file is absent.

    Raises:
        BenchmarkError: If a column is missing, a field holds no number, or a method is none of the suite's.
    """
    if not path.exists():
        return []
    found = []
    for line in read_lines(path, COLUMNS):
        method = line.text("method")
        if method not in methods:
            raise line.error("method", method, f"one of {', '.join(sorted(methods))}")
        numbers = {name: line.number(name) for name in NUMBERS}
        if empty := [name for name, value in numbers.items() if value is None]:
            raise line.error(empty[0], "", "a number")
        known = {name: value or 0.0 for name, value in numbers.items()}
        bounds = {name: value for ratio in TIMED for name, value in _bounds(line, ratio, known[ratio]).items()}
        found.append(Cost(method, line.text("needs"), **known, **bounds))
    if methods and not found:
        raise BenchmarkError(f"{path.name} is empty", expected="at least one row", do="Run the stage costs again.")
    return found


def _bounds(line: Line, ratio: str, value: float) -> dict[str, float]:
    """The bounds of a ratio by column; none where the table is older than they are, or the fields are empty."""
    low, high = names = (f"{ratio}_low", f"{ratio}_high")
    found = {name: number for name in names if name in line.fields and (number := line.number(name)) is not None}
    if not found:
        return {}
    for name in names:
        if name not in found:
            raise line.error(name, "", "a number, or both bounds empty")
    if not found[low] <= value <= found[high]:
        raise line.error(low, f"[{found[low]}, {found[high]}]", f"an interval around {value}")
    return found


def costs_table(costs: list[Cost]) -> Table:
    """One row a method; the reference is 1."""

    def ratio(value: float, low: float | None = None, high: float | None = None) -> Entry:
        bounded = low is not None and high is not None and low < high
        return Entry(f"{value:.2f}", f"[{low:.2f}, {high:.2f}]" if bounded else "", value=value)

    rows = [
        Row(
            (cost.method,),
            [
                ratio(cost.step_ratio, cost.step_ratio_low, cost.step_ratio_high),
                ratio(cost.memory_ratio),
                ratio(cost.inference_ratio, cost.inference_ratio_low, cost.inference_ratio_high),
                Entry(f"{cost.params:,.0f}", value=cost.params),
                Entry(f"{cost.train_seconds:.0f}", value=cost.train_seconds),
                Entry(cost.needs),
            ],
        )
        for cost in costs
    ]
    texts = (f"Training ÷ {REFERENCE}", f"Memory ÷ {REFERENCE}", f"Inference ÷ {REFERENCE}", "Parameters at inference")
    heads = [Head("Method"), *map(Head, texts), Head("Training of one seed, CPU seconds"), Head("Labels needed")]
    bounded = any(cost.step_ratio_low is not None or cost.inference_ratio_low is not None for cost in costs)
    note = (
        "All methods timed in turn, in a new order each round, in one run on one CPU thread: a training step (loss and "
        "gradients; all phases of the method with their epochs) and an inference. A ratio is the median over rounds; "
        "seconds are of the shortest. Memory: peak of a training step above model and images. A ratio within 0.02 of 1 "
        "is a tie."
        + bounded
        * f" In brackets: the 95 % interval of that median; {REFERENCE} is 1 by definition and has none."
    )
    return Table("costs", "What each method costs", heads, rows, [note])


def cost_heads(results: Results) -> list[Head]:
    """What the headline table tells of costs; nothing where nobody was timed."""
    if not results.costs:
        return []
    above = f"Cost ÷ {REFERENCE}"
    return [Head("training", above), Head("inference", above), Head("Parameters, millions")]


def cost_entries(results: Results, method: str) -> list[Entry]:
    """The fields of a method under :func:`cost_heads`."""
    if not results.costs:
        return []
    cost = next((cost for cost in results.costs if cost.method == method), None)
    if cost is None:
        return [undefined("not timed")] * 3
    ratios = [Entry(f"{value:.2f}", value=value) for value in (cost.step_ratio, cost.inference_ratio)]
    return [*ratios, Entry(f"{cost.params / 1e6:.2f}", value=cost.params)]
