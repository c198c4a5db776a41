"""Scores a suite's stored predictions by a metric of your own, with intervals and differences to erm.

    python -m benchmark rescore --metric my_metrics:top2 --variants iid,deceiving

Neither data nor a GPU nor torch is needed. The metric is a function (score [N, K], label [N], weight [..., N] or None)
-> [...], or (score, label) -> a number, or a benchmark.api.Metric. It is your code: the module is imported and runs.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import BenchmarkError
from benchmark.files import write_text

if TYPE_CHECKING:
    from benchmark.submission.function import Scorer
    from benchmark.submission.rescore import RescoredRow
    from benchmark.submission.stored import StoredTask

HEAD = ("method", "variant", "value [95 %]", "minus erm [95 %]", "p (Holm)", "units", "seeds")


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--metric", required=True, metavar="PKG:FUNC", help="where the metric is imported from")
    parser.add_argument("--suite", default="default", help="whose predictions (default: default)")
    parser.add_argument("--task", metavar="TASK", help="such as mnist5k-corner; needed where a suite has several")
    parser.add_argument("--methods", default="", metavar="A,B", help="only these (default: all)")
    parser.add_argument("--variants", default="", metavar="A,B", help="only these (default: all)")
    parser.add_argument("--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="of a function's values")
    parser.add_argument("--draws", type=int, metavar="B", help="bootstrap draws (default: 2000; 200 without weights)")
    parser.add_argument("--format", choices=("text", "md", "csv", "json"), default="text", help="(default: text)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there instead of printing it")


def run(options: argparse.Namespace) -> None:
    """Scores and prints."""
    from benchmark.submission.function import load_scorer
    from benchmark.submission.rescore import rescore
    from benchmark.submission.stored import read_task

    if options.draws is not None and options.draws < 2:
        raise BenchmarkError("--draws", got=options.draws, expected="2 or more")
    scorer = load_scorer(options.metric, *(options.range or ()))
    stored = read_task(options.suite, options.task, names(options.methods))
    rows = rescore(scorer, stored, names(options.variants), options.draws)
    if listed := names(options.methods):
        rows = [row for row in rows if row.method in listed]
    text = FORMATS[options.format](scorer, stored, rows)
    if options.out:
        write_text(options.out, text)
        print(f"{options.out}: {len(rows)} rows")
    else:
        print(text, end="")


def names(text: str) -> list[str]:
    """``a,b`` as a list."""
    return [name.strip() for name in text.split(",") if name.strip()]


# --- what is printed --------------------------------------------------------------------------------


def fields(scorer: Scorer, rows: Sequence[RescoredRow]) -> list[list[str]]:
    """The printed fields of each row."""
    from benchmark.report.numbers import probability
    from benchmark.submission.layout import estimate

    lines = []
    for row in rows:
        value, diff = (
            estimate(*numbers, bounded=scorer.bounded)
            for numbers in ((row.value, row.low, row.high), (row.diff, row.diff_low, row.diff_high))
        )
        p = "" if math.isnan(row.p_holm) else probability(row.p_holm)
        lines.append([row.method, row.variant, value, diff, p, str(row.n_units), str(row.n_seeds)])
    return lines


def notes(scorer: Scorer, stored: StoredTask, rows: Sequence[RescoredRow]) -> list[str]:
    """What a reader of the numbers must know."""
    draws, tests = rows[0].draws, len({row.method for row in rows if not math.isnan(row.diff)})
    lines = [
        f"Means over seeds; 95 % intervals over new test units and new trainings, {draws} bootstrap draws. "
        + (
            f"Differences are paired by unit and seed; p is Holm-adjusted over {tests} method{'s' * (tests != 1)} on "
            f"each variant."
            if tests
            else "No method here has a difference to erm, so there is no p."
        ),
        f"Suite {stored.suite}, data {stored.data[:12]}.",
    ]
    if scorer.weight is None:
        lines.append(
            f"The function takes no weights: it was called on resampled rows, {draws} times a method, variant and "
            f"seed; bounds are rougher than those of a suite."
        )
    if math.isinf(scorer.metric.low) and math.isinf(scorer.metric.high):
        lines.append("Its range is unknown (--range LOW HIGH), so bounds are not clipped, and equal values have none.")
    return lines


def as_text(scorer: Scorer, stored: StoredTask, rows: Sequence[RescoredRow]) -> str:
    """For a terminal."""
    from benchmark.submission.layout import aligned

    table = aligned(HEAD, fields(scorer, rows), left=2)
    title = f"{stored.task}: {scorer.metric.name} ({scorer.target})"
    return "\n".join([title, "", table, "", *notes(scorer, stored, rows)]) + "\n"


def as_markdown(scorer: Scorer, stored: StoredTask, rows: Sequence[RescoredRow]) -> str:
    """For GitHub."""
    from benchmark.submission.layout import markdown

    table = markdown(HEAD, fields(scorer, rows), left=2)
    title = f"**{stored.task}**: {scorer.metric.name} (`{scorer.target}`)"
    return "\n".join([title, "", table, "", *notes(scorer, stored, rows)]) + "\n"


def as_csv(_: Scorer, stored: StoredTask, rows: Sequence[RescoredRow]) -> str:
    """A row a method and variant, numbers in full."""
    from benchmark.submission.layout import comma_separated
    from benchmark.submission.rescore import COLUMNS

    return comma_separated(COLUMNS, [asdict(row) for row in rows])


def as_json(scorer: Scorer, stored: StoredTask, rows: Sequence[RescoredRow]) -> str:
    """The same with what it was made by; NaN is null."""
    from benchmark import __version__
    from benchmark.submission.protocol import PROTOCOL

    def told(value: object) -> object:
        return None if isinstance(value, float) and math.isnan(value) else value

    records = [{name: told(value) for name, value in asdict(row).items()} for row in rows]
    whole: Mapping[str, Any] = {
        "metric": scorer.target,
        "suite": stored.suite,
        "task": stored.task,
        "data": stored.data,
        "protocol": PROTOCOL,
        "version": __version__,
        "weights": scorer.weight is not None,
        "rows": records,
    }
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


FORMATS = {"text": as_text, "md": as_markdown, "csv": as_csv, "json": as_json}
