"""How the settings of each method were chosen: the logs of its trials, and what an oracle would have chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmark.report.numbers import Entry, single, undefined
from benchmark.report.records import Task, Trial
from benchmark.report.rows import read_lines
from benchmark.report.tables import Head, Row, Table

COLUMNS = ("method", "trial", "settings", "val_accuracy", "balanced_accuracy", "n_val", "selected", "note")
CHOICES = ("iid", "oracle")


def read_trials(results: Path, suite: str, task: Task) -> dict[str, list[Trial]]:
    """The trials by method, of those that were tuned: the suite's own logs, else those of the default suite.

    Args:
        results: The folder that holds the folders of all suites.
        suite: The suite's name.
        task: Data set and bias.

    Raises:
        BenchmarkError: If a log is not CSV, lacks a column, or a field holds no number.
    """
    found = {}
    for method in task.methods:
        places = (results / "tune" / suite / task.key, results / "tune" / task.key)
        path = next((folder / f"{method}.csv" for folder in places if (folder / f"{method}.csv").is_file()), None)
        if path is not None:
            found[method] = [
                Trial(
                    settings=line.text("settings"),
                    selected=tuple(name for name in CHOICES if name in line.text("selected").split("+")),
                    val_accuracy=line.number("val_accuracy"),
                    balanced_accuracy=line.number("balanced_accuracy"),
                )
                for line in read_lines(path, COLUMNS)
            ]
    return found


def words(settings: str) -> str:
    """Settings as a person would write them, from JSON."""
    values: Mapping[str, object] = json.loads(settings)
    return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in values.items())


def settings_table(task: Task, trials: Mapping[str, list[Trial]]) -> Table:
    """One row a method: what was chosen, and what would have been with images without bias at hand."""
    rows = []
    for method in task.methods:
        log = trials.get(method)
        if not log:
            rows.append(Row((method,), [undefined("not tuned; settings of its paper or its kin")] * 6))
            continue
        entries = [Entry(str(len(log)))]
        for choice in CHOICES:
            chosen = next((trial for trial in log if choice in trial.selected), None)
            if chosen is None:
                entries += [undefined("no trial came to an end")] * (3 if choice == "iid" else 2)
                continue
            scores = [chosen.val_accuracy, chosen.balanced_accuracy] if choice == "iid" else [chosen.balanced_accuracy]
            entries.append(Entry(words(chosen.settings)))
            entries += [single(score, reason="no score") for score in scores]
        rows.append(Row((method,), entries))
    ours, oracles = "Chosen on validation images as in training", "Oracle selection"
    heads = [Head("Method"), Head("Trials")]
    heads += [Head(text, ours) for text in ("Settings", "Accuracy", "Accuracy without bias")]
    heads += [Head(text, oracles) for text in ("Settings", "Accuracy without bias")]
    notes = [
        "Random search with the same number of trials, epochs and images for every method; one seed that is not among "
        "those of the tables. Chosen is, of the trials within one standard error of the best accuracy on the "
        "validation images, the one in which the own term of the method weighs most (rule 8a).",
        "Without bias: on the same validation images with marks that say nothing. The oracle chooses by it. It is "
        "printed to show what the choice costs, and used for no other table; of a method that was fitted to those "
        "images it is too high.",
    ]
    return Table(f"{task.key}-settings", "How the settings were chosen", heads, rows, notes)
