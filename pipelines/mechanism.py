"""Stage mechanism: how a hacked ISNet reads the mark that its heatmaps do not show, beside its path-sampled twin.

The hacked model is the seed with the largest accuracy gap (iid - deceiving) of all ISNets without path sampling; its
twin has the same optimizer and seed. Writes mechanism.csv and mechanism.svg (both models along the path to a black
background, 100 test images), marks.csv (every cell and seed: what the mark does, what heatmaps say) and study.md (who
was hacked).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark import paths, pathwise
from benchmark.cell import Cell
from benchmark.config import load_method
from benchmark.data.pack import read_columns
from benchmark.errors import BenchmarkError
from benchmark.files import write_text
from benchmark.scoring.models import load_model, to_tensor
from benchmark.scoring.subset import choose_subset
from benchmark.tables import read_rows, write_csv
from pipelines import mechanism_tables, program
from pipelines.mechanism_figure import draw

TWINS = {"isnet": "isnet_path", "isnet_sgd": "isnet_path_sgd", "isnet_adamw": "isnet_path_adamw"}
ALPHAS = np.linspace(0, 1, 41)
PATH_COLUMNS = ("method", "seed", "alpha", "quantity", "layer", "value", "low", "high", "n")


def shown(task: str) -> pathwise.Shown:
    """The attributed test images with their own class's mark, and without."""
    marked, _ = read_columns(paths.biased_pack(task), "iid")
    unmarked, _ = read_columns(paths.biased_pack(task), "ood")
    rows = choose_subset(len(marked["id"]))
    image, clean = to_tensor(marked["image"][rows]), to_tensor(unmarked["image"][rows])
    return pathwise.Shown(
        image, clean, marked["mask"][rows], marked["mark"][rows], torch.from_numpy(marked["label"][rows])
    )


def worst(scores: list[dict[str, str]]) -> tuple[str, int]:
    """Method and seed with the largest gap of all that have a twin; the first of equals.

    Raises:
        BenchmarkError: If the scores know no method that has a twin.
    """
    gaps = mechanism_tables.by_cell(scores, "deceiving", "accuracy_gap")
    methods = {method for method, _ in gaps}
    known = {key: gap for key, gap in gaps.items() if TWINS.get(key[0]) in methods}
    if not known:
        raise BenchmarkError(
            "no ISNet with a path-sampled twin in this suite",
            got=sorted(methods),
            expected=", ".join(f"{one} with {other}" for one, other in TWINS.items()),
        )
    return max(known, key=lambda key: known[key])


def model_of(suite: paths.SuitePaths, cell: Cell, seed: int) -> Any:
    settings = load_method(suite.method_yaml(cell.method))
    return load_model(suite.run(cell) / f"seed-{seed}", settings.method, settings.options)


def path_rows(method: str, seed: int, found: dict[tuple[str, str], Any]) -> list[dict[str, Any]]:
    """Rows of mechanism.csv."""
    return [
        dict(
            zip(
                PATH_COLUMNS,
                (method, seed, alpha, quantity, layer, *pathwise.mean_interval(values[i])),
                strict=True,
            )
        )
        for (quantity, layer), values in found.items()
        for i, alpha in enumerate(ALPHAS.tolist())
    ]


def mechanism(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    settings, out = suite.suite(), Path(arguments.out or suite.results)
    if len(tasks := sorted({cell.task for cell in settings.cells()})) != 1:
        raise BenchmarkError("tasks of this suite", got=tasks, expected="one")
    scores, images = read_rows(suite.results / "scores.csv"), shown(tasks[0])
    torch.set_num_threads(1)  # sums in the same order on every machine
    marks = [
        {"method": cell.method, "seed": seed, **pathwise.on_mark(model_of(suite, cell, seed), images)}
        for cell in settings.cells()
        for seed in settings.seeds
    ]
    method, seed = worst(scores)
    cells = {cell.method: cell for cell in settings.cells()}
    rows = [
        row
        for name in (method, TWINS[method])
        for row in path_rows(name, seed, pathwise.along_path(model_of(suite, cells[name], seed), images, ALPHAS))
    ]
    write_csv(out / "marks.csv", marks, tuple(marks[0]))
    write_csv(out / "mechanism.csv", rows, PATH_COLUMNS)
    write_text(out / "study.md", mechanism_tables.study(suite.name, scores, marks))
    draw(rows, out / "mechanism.svg")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="hacking")
    parser.add_argument("--out", help="another folder to write to")
    program.run(mechanism, parser)
