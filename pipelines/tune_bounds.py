"""Find the bounds C1 and C2 of an ISNet's heatmap loss: train a plain classifier, measure its maps.

Trains `erm` for a few epochs with the cell's own training settings, in runs/.work, and goes on there when it was
stopped. Then makes the method's maps of all training images, writes runs/<suite>/<cell>.bounds.json and prints the
lines for the method's YAML.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from benchmark import paths
from benchmark.api import Batch, Needs
from benchmark.cell import Cell
from benchmark.config import MethodFile, load_method
from benchmark.data.pack import groups
from benchmark.errors import BenchmarkError
from benchmark.files import sha256_file, write_json
from benchmark.scoring.models import load_model
from benchmark.seeding import torch_stream
from benchmark.training.data import load_tensors
from benchmark.training.job import Job
from benchmark.training.pool import train_seeds
from benchmark.training.progress import Display
from benchmark.training.seed import limit_threads, make_method
from pipelines import program

PLAIN = "erm"
EPOCHS = 5


@runtime_checkable
class Tunable(Protocol):
    """A method whose settings `lower` and `upper` can be measured."""

    needs: Needs

    def tune(self, network: torch.nn.Module, batches: Iterable[Batch], rng: torch.Generator) -> dict[str, Any]: ...


def plain_job(cell: Cell, settings: MethodFile, pack: Path, folder: Path, epochs: int, seed: int) -> Job:
    """The training of the plain classifier, with everything but its length as the cell has it."""
    groups(pack)  # a missing or corrupt pack is an error here, before a process starts
    return Job(
        cell=Cell(cell.dataset, cell.bias, PLAIN),
        method=PLAIN,
        seed=seed,
        pack=pack,
        pack_sha256=sha256_file(pack),
        training=settings.training.model_copy(update={"epochs": epochs}),
        options={},
        folder=folder / f"seed-{seed}",
    )


def tunable(settings: MethodFile) -> Tunable:
    """The method with its settings.

    Raises:
        BenchmarkError: If it has no bounds.
    """
    method = make_method(settings.method, settings.options)
    if not isinstance(method, Tunable):
        raise BenchmarkError(
            f"method {settings.method!r} has no bounds to tune", do="Name a cell of a method of the ISNet family."
        )
    return method


def measure(method: Tunable, job: Job) -> dict[str, Any]:
    """The bounds, from the method's maps of a trained plain classifier on the training images.

    Raises:
        BenchmarkError: If the maps bound nothing.
    """
    limit_threads()
    network = load_model(job.folder, PLAIN, {})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train = load_tensors(job.pack, "train")
    size, epoch = job.training.batch_size, job.training.epochs  # the streams of the first epoch after the training
    order = torch.randperm(len(train), generator=torch_stream(job.seed, "order", epoch))
    rows = (order[start : start + size] for start in range(0, len(train) - size + 1, size))
    try:
        return method.tune(
            network, (train.batch(some, method.needs) for some in rows), torch_stream(job.seed, "method", epoch)
        )
    except BenchmarkError:
        raise
    except ValueError as error:
        raise BenchmarkError(f"the bounds of {job.cell.task}", got=str(error)) from error


def yaml_lines(found: dict[str, Any]) -> str:
    """What goes into the method's YAML: a number if there is one map, else a list."""

    def text(values: list[float]) -> str:
        numbers = [f"{value:.4g}" for value in values]
        return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"

    return f"options:\n  lower: {text(found['lower'])}\n  upper: {text(found['upper'])}"


def tune_bounds(arguments: argparse.Namespace) -> None:
    cell, suite = Cell.parse(arguments.cell), paths.SuitePaths(arguments.suite)
    settings = load_method(suite.method_yaml(cell.method))
    method = tunable(settings)
    work = suite.work(cell).with_name(f"{cell.key}.bounds")
    seed = suite.suite().seeds[0] if arguments.seed is None else arguments.seed
    job = plain_job(cell, settings, paths.biased_pack(cell.task), work, arguments.epochs, seed)
    train_seeds([job], Display(f"{cell.key} bounds", [seed], arguments.epochs))
    found = measure(method, job)
    target = suite.run(cell).with_name(f"{cell.key}.bounds.json")
    write_json(target, {**found, "cell": cell.key, "seed": seed, "epochs": arguments.epochs, "data": job.pack_sha256})
    shutil.rmtree(work)
    for place, low, high in zip(found["maps"], found["lower"], found["upper"], strict=True):
        print(f"{place}: C1 {low:.4g}, C2 {high:.4g}")
    print(f"{target}\n\n{yaml_lines(found)}")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("cell", help="dataset-bias-method")
    parser.add_argument("--suite", default="default")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, help="of the plain classifier (default: the suite's first)")
    program.run(tune_bounds, parser)
