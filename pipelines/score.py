"""Stage score: from the trained seeds of a cell to its stored predictions, scores of images and gallery."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmark import paths, skipped
from benchmark.cell import Cell
from benchmark.config import MethodFile, load, load_method, read_yaml
from benchmark.data.pack import read_attributes
from benchmark.files import read_json, write_json
from benchmark.registry import METHODS
from benchmark.scoring.cell import score_cell
from benchmark.scoring.gallery import write_arrays
from benchmark.scoring.settings import Scoring
from benchmark.training.job import RECORD
from benchmark.training.seed import LOG, limit_threads
from benchmark.trainings import run_facts
from pipelines import program


def score(arguments: argparse.Namespace) -> None:
    limit_threads()  # two threads on maps this small take three times as long as one
    cell, suite = Cell.parse(arguments.cell), paths.SuitePaths(arguments.suite)
    if mark := skipped.in_folder(suite.run(cell)):
        print(mark)
        for path in (suite.predictions(cell), suite.gallery(cell)):
            write_arrays(path, {})
        write_json(suite.facts(cell), {**vars(cell), "skipped": {"reason": mark.reason, "do": mark.do}})
        return
    settings, start = load_method(suite.method_yaml(cell.method)), perf_counter()
    runs = [suite.run(cell) / f"seed-{seed}" for seed in suite.suite().seeds]
    asked, pack = load(Scoring, suite.scoring_yaml), paths.biased_pack(cell.task)
    scored = score_cell(runs, pack, settings.method, settings.options, asked, len(os.sched_getaffinity(0)))
    scored.predictions.write(suite.predictions(cell))
    write_arrays(suite.gallery(cell), scored.gallery)
    write_json(suite.facts(cell), facts(cell, settings, runs) | bias_facts(cell) | {"not_defined": scored.not_defined})
    print(f"scored {cell.key}: {len(runs)} seeds in {perf_counter() - start:.1f} s")


def bias_facts(cell: Cell) -> dict[str, Any]:
    """The settings that the bias was planted with, and the name that it is registered under."""
    given, file = read_attributes(paths.biased_pack(cell.task)).get("bias_settings", "{}"), paths.bias_yaml(cell.bias)
    content = read_yaml(file) if file.is_file() else {}
    return {"bias_settings": json.loads(given), "registered_bias": (content or {}).get("bias", cell.bias)}


def facts(cell: Cell, settings: MethodFile, runs: list[Path]) -> dict[str, Any]:
    """What the report says of a cell beside its numbers; the seeds of a cell share data, code and packages."""
    records = [read_json(run / RECORD) for run in runs]
    method, first = METHODS.get(settings.method), records[0]
    return {
        **vars(cell),
        "needs": method.needs.describe(),
        "source": method.source,
        "trained_through": method.trained_through,
        "masks_input": method.masks_input,
        "backbone": settings.training.backbone,
        "classes": first["task"]["classes"],
        "epochs": first["epochs"],
        "seeds": [record["seed"] for record in records],
        "best_epoch": [record["best_epoch"] for record in records],
        "device": sorted({record["device"] for record in records}),
        "data": first["data"][:12],
        "code": first["code"][:12],
        "packages": first["packages"],
        **run_facts(records, [run / LOG for run in runs]),
    }


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("cell", help="dataset-bias-method")
    parser.add_argument("--suite", default="default")
    program.run(score, parser)
