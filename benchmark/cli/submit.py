"""Makes a record of a method's predictions that others can verify: one JSON file.

    python -m benchmark submit --task mnist5k-corner --method my_method --predictions mine.csv --out record.json

Predictions are logits of every test image, for every variant and seed: a CSV file id,variant,seed,logit_0,... or an
archive of benchmark.predictions (.npz). Images may come in any order. docs/submit.md walks through it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmark.cli.rescore import names
from benchmark.errors import BenchmarkError
from benchmark.files import write_text


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--suite", default="default", help="whose test images (default: default)")
    parser.add_argument("--task", metavar="TASK", help="such as mnist5k-corner; needed where a suite has several")
    parser.add_argument("--method", required=True, metavar="NAME", help="the method's name: a-z, 0-9 and _")
    parser.add_argument("--predictions", required=True, type=Path, metavar="FILE", help=".csv or .npz")
    parser.add_argument("--out", required=True, type=Path, metavar="RECORD", help="the record, .json")
    parser.add_argument(
        "--needs", default="", metavar="A,B", help="what it sees: masks, groups, balanced, external, mask_at_test"
    )
    parser.add_argument("--backbone", default="", metavar="TEXT", help="its network, for people")
    parser.add_argument("--source", default="", metavar="TEXT", help="its paper or code, for people")
    parser.add_argument("--note", default="", metavar="TEXT", help="anything else, for people")


def run(options: argparse.Namespace) -> None:
    """Reads, scores and writes."""
    from benchmark import paths
    from benchmark.submission.make import check_method, make_record, read_predictions, sees
    from benchmark.submission.stored import read_task

    stored, seen = read_task(options.suite, options.task), sees(names(options.needs))
    check_method(options.method, stored)
    if not options.predictions.is_file():
        raise BenchmarkError("--predictions", got=str(options.predictions), expected="a file .npz or .csv")
    predictions = read_predictions(options.predictions, stored)
    told = {name: getattr(options, name) for name in ("backbone", "source", "note")}
    record = make_record(predictions, stored, options.method, seen, **told)
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_text(options.out, text)
    print(
        f"{options.out}: {options.method} on {stored.task}, {len(stored.tested)} variants, {len(predictions.seeds)} "
        f"seeds, {len(record['scores'])} scores, {len(text) / 1e6:.2f} MB"
    )
    if not paths.biased_pack(stored.task).is_file() and not predictions.attributes.get("data"):
        print(f"data hash taken from the suite on trust: {paths.biased_pack(stored.task)} is not here")
    print(f"next: python -m benchmark verify {options.out}")
