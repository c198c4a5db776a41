"""What each method costs beside the reference: the table of costs.csv."""

from __future__ import annotations

from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.report.numbers import Entry, undefined
from benchmark.report.records import Cost, Results
from benchmark.report.rows import read_lines
from benchmark.report.tables import Head, Row, Table
from benchmark.report.words import REFERENCE

COLUMNS = ("method", "step_ratio", "memory_ratio", "inference_ratio", "params", "train_seconds", "needs")
NUMBERS = COLUMNS[1:-1]


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
        found.append(Cost(method, line.text("needs"), **{name: value or 0.0 for name, value in numbers.items()}))
    if methods and not found:
        raise BenchmarkError(f"{path.name} is empty", expected="at least one row", do="Run the stage costs again.")
    return found


def costs_table(costs: list[Cost]) -> Table:
    """One row a method; the reference is 1."""

    def ratio(value: float) -> Entry:
        return Entry(f"{value:.2f}", value=value)

    rows = [
        Row(
            (cost.method,),
            [
                ratio(cost.step_ratio),
                ratio(cost.memory_ratio),
                ratio(cost.inference_ratio),
                Entry(f"{cost.params:,.0f}", value=cost.params),
                Entry(f"{cost.train_seconds:.0f}", value=cost.train_seconds),
                Entry(cost.needs),
            ],
        )
        for cost in costs
    ]
    texts = (f"Training ÷ {REFERENCE}", f"Memory ÷ {REFERENCE}", f"Inference ÷ {REFERENCE}", "Parameters at inference")
    heads = [Head("Method"), *map(Head, texts), Head("Training of one seed, CPU seconds"), Head("Labels needed")]
    note = (
        "All methods timed in turn, in a new order each round, in one run on one CPU thread: a training step (loss and "
        "gradients; all phases of the method with their epochs) and an inference. A ratio is the median over rounds; "
        "seconds are of the shortest. Memory: peak of a training step above model and images. A ratio within 0.02 of 1 "
        "is a tie."
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
