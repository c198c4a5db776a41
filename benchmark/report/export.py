"""What a report shows as tidy data: CSV and JSON, one row a method, variant and metric, numbers in full precision.

A row that ``summary.csv`` lacks, or leaves empty, is there with its reason. ``docs/report.md`` documents every field.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from benchmark.report.access import ORDER
from benchmark.report.families import absent, signs
from benchmark.report.headline import columns, headline, is_best, is_tied
from benchmark.report.measures import Measure
from benchmark.report.records import Cost, Results, Run, Summary, Task
from benchmark.report.words import GAP, GREY, METRICS, REFERENCE, VARIANTS, in_order, metric_words, not_shown

FORMAT = 1
"""Of the JSON file; another number where a field changes its meaning or goes."""

Record = dict[str, Any]
KEY = ("dataset", "bias", "method", "variant", "family", "metric")
SEES = dict(zip(ORDER, ("masks", "groups", "balanced", "external", "mask_at_test"), strict=True))
"""What a table says that a method sees, and the name of that in :class:`benchmark.api.Needs`."""
COSTS = tuple(field.name for field in fields(Cost) if field.name not in ("method", "needs"))
FACTS = ("source", "trained_through", "masks_input", "backbone", "epochs", "data", "code")
EMPTY = Summary(None, None, None, None, None, None, None, None, None)


def json_text(results: Results) -> str:
    """The whole report of a suite as JSON."""
    return json.dumps(document(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def csv_text(results: Results) -> str:
    """The rows of the JSON, each with what is known of its cell."""
    cells = {(cell["dataset"], cell["bias"], cell["method"]): cell for cell in _cells(results)}
    facts = {"suite": results.suite, "version": results.version, "protocol": protocol_id(results)}
    records = [
        {"suite": results.suite, **row, **cells[row["dataset"], row["bias"], row["method"]], **facts}
        for row in rows(results)
    ]
    names = ["suite", *row_columns(), *_cell_columns()[len(KEY[:3]) :], "version", "protocol"]
    return table_text(records, names)


def table_text(records: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Records as CSV: floats read back exactly, ``None`` is an empty field, a list is joined by ``"; "``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        writer.writerow([_field(record[name]) for name in names])
    return stream.getvalue()


def _field(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_field, value))
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def document(results: Results) -> Record:
    """The JSON file as a mapping."""
    chosen = results.selection
    return {
        "format": FORMAT,
        "suite": results.suite,
        "version": results.version,
        "seeds": results.seeds,
        "packages": results.packages,
        "protocol": {"id": protocol_id(results), "rules": results.protocol},
        "not_established": not_shown(claims=bool(results.claims)),
        "reference": REFERENCE,
        "level": 0.95,
        "selection": chosen and {name: None if some is None else sorted(some) for name, some in vars(chosen).items()},
        "tasks": [_task(results, task) for task in results.tasks],
        "cells": _cells(results),
        "rows": list(rows(results)),
        "comparisons": [asdict(one) for one in results.comparisons],
        "agreement": [asdict(one) for one in results.agreement],
        "slopes": [asdict(one) for one in results.slopes],
        "claims": None if results.claims is None else [asdict(one) for one in results.claims],
        "metrics": [asdict(one) for one in results.measures.values() if chosen is None or chosen.has(one.metric)],
        "skipped": [asdict(one) for one in results.skipped],
    }


def protocol_id(results: Results) -> str:
    """First twelve digits of the SHA-256 of the protocol's sentences: equal where the rules are."""
    return hashlib.sha256("\n".join(results.protocol).encode()).hexdigest()[:12]


def _task(results: Results, task: Task) -> Record:
    cell = task.runs[0].cell
    return {
        "dataset": cell.dataset,
        "bias": cell.bias,
        "title": task.title,
        "classes": task.classes,
        "variants": task.tested,
        "shift": task.shift or None,
        "notes": headline(task, results).notes,
    }


def _cell_columns() -> list[str]:
    sees = [f"sees_{name}" for name in SEES.values()]
    return [*KEY[:3], "sees", *sees, *COSTS, *FACTS, "commit"]


def _cells(results: Results) -> list[Record]:
    """What each method sees, costs and comes from."""
    costs = {cost.method: cost for cost in results.costs}
    found = []
    for run in (run for task in results.tasks for run in task.runs):
        seen, cost = run.needs.split(", "), costs.get(run.cell.method)
        values: Record = {kind: getattr(run.cell, kind) for kind in KEY[:3]} | {"sees": run.needs}
        values |= {f"sees_{name}": words in seen for words, name in SEES.items()}
        values |= {name: None if cost is None else getattr(cost, name) for name in COSTS}
        values |= {name: getattr(run, name) for name in FACTS}
        found.append(values | {"commit": results.commits.get(run.cell.key)})
    return found


def row_columns() -> list[str]:
    """The fields of a row, in their order."""
    numbers = ["value", "low", "high", "n_units", "n_seeds", "seeds", "seed_values"]
    against = ["reference", "diff", "diff_low", "diff_high", "p_holm", "diff_reason"]
    return [*KEY, "higher_is_better", *numbers, "reason", *against, "best", "tied", "mark", "unfit"]


def rows(results: Results) -> Iterable[Record]:
    """One row for every method of a task, and every variant and metric that any of its methods has."""
    for task in results.tasks:
        pairs: dict[str, set[str]] = {}
        for _, variant, metric in task.summary:
            pairs.setdefault(metric, set()).add(variant)
        bold = {(variant, metric) for variant, metric, _, _ in columns(task)}
        for run in task.runs:
            seeds = task.seeds(run.cell.method)
            for metric, variants in pairs.items():
                for variant in in_order(variants, VARIANTS):
                    decided = (variant, metric) in bold or (None, metric) in bold
                    yield _row(results, task, run, variant, metric, seeds, decided)


def _measure(results: Results, metric: str) -> Measure | None:
    """What ``metrics.csv`` says of a metric, else what the report knows by itself."""
    if metric not in results.measures and (metric in METRICS or metric.removesuffix(GAP) in METRICS):
        words, family = metric_words(metric), "attribution" if metric_words(metric).explainer else ""
        return Measure(metric, metric, family, words.explainer or "", words.higher_is_better, "", "")
    return results.measures.get(metric)


def _row(results: Results, task: Task, run: Run, variant: str, metric: str, seeds: list[int], decided: bool) -> Record:
    """A row; ``decided``: whether the headline shows it, where alone bold is decided."""
    cell, measure = run.cell, _measure(results, metric)
    found = task.summary.get((cell.method, variant, metric))
    row, explainer = found or EMPTY, measure.explainer if measure else ""
    seeds = [seed for seed in seeds if (cell.method, seed, variant, metric) in task.scores]
    mark = signs(task, run, measure)
    reason = absent(run, metric, explainer, found) if row.value is None else "no interval" if row.low is None else None
    no_diff = "reference" if cell.method == REFERENCE else "not compared"
    values = asdict(row) | dict(zip(KEY, (cell.dataset, cell.bias, cell.method, variant), strict=False))
    values |= {"family": task.families[metric], "metric": metric}
    values["higher_is_better"] = measure and measure.higher_is_better
    values |= {"seeds": seeds, "seed_values": [task.scores[cell.method, seed, variant, metric] for seed in seeds]}
    values |= {"reason": reason, "reference": REFERENCE, "diff_reason": no_diff if row.diff is None else None}
    values |= {"best": is_best(task, run, variant, metric) if decided else None, "mark": mark or None}
    values["tied"] = is_tied(task, run, variant, metric) if decided else None
    values["unfit"] = task.unfit.get((cell.method, explainer)) if GREY in mark else None
    return {name: values[name] for name in row_columns()}
