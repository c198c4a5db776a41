"""How much faster a step is by several processes than by one: `python -m benchmark.distributed.speed erm --devices 2`.

Images are made up, on the CPU; all processes have one thread, so devices are cores. The first epoch warms up. The time
that a process computes is told beside the time that passes: their ratio says how busy the machine was with other work.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import spawn

from benchmark import program
from benchmark.config import Training, parse
from benchmark.distributed.fit import shared_out
from benchmark.distributed.group import Group
from benchmark.distributed.methods import way_of
from benchmark.files import read_json, write_json
from benchmark.training.data import Sets, Tensors
from benchmark.training.fit import Fit
from benchmark.training.seed import limit_threads, make_method, task_of


@dataclass(frozen=True)
class Trial:
    """What is timed."""

    method: str
    backbone: str
    side: int
    channels: int
    batch: int
    steps: int


def seconds(trial: Trial, alone: bool) -> tuple[float, float]:
    """Of one step, the mean of an epoch, by one process or as a rank of the present group: passed, and computed."""
    limit_threads()
    method = make_method(trial.method, {})
    optimizer = {"name": "sgd", "lr": 0.01}
    settings = parse(
        Training,
        {"backbone": trial.backbone, "epochs": 3, "batch_size": trial.batch, "optimizer": optimizer, "clip_norm": 1.0},
        "speed",
    )
    sets = Sets(made_up(trial, trial.batch * trial.steps), made_up(trial, trial.batch))
    kind = Fit if alone else shared_out(way_of(trial.method, method))
    fabric = Fabric(accelerator="cpu", devices=1)
    fit = kind(method, task_of(sets.train, trial.backbone), settings, 0, sets, fabric)
    fit.begin(0)
    fit.train_epoch()
    passed, computed = time.perf_counter(), time.process_time()
    fit.train_epoch()
    return (time.perf_counter() - passed) / trial.steps, (time.process_time() - computed) / trial.steps


def made_up(trial: Trial, images: int) -> Tensors:
    """Noise of two classes, with the foreground in the middle."""
    rng = torch.Generator().manual_seed(0)
    shape = (images, trial.channels, trial.side, trial.side)
    mask = torch.zeros(images, 1, trial.side, trial.side, dtype=torch.uint8)
    quarter = trial.side // 4
    mask[:, :, quarter:-quarter, quarter:-quarter] = 1
    label = torch.arange(images) % 2
    return Tensors(torch.randint(0, 256, shape, generator=rng, dtype=torch.uint8), mask, label, label)


def _rank(local: int, group: Group, trial: Trial, out: Path) -> None:
    with group.joined(local):
        found = seconds(trial, alone=False)
    if local == 0:
        write_json(out, found)


def speed(arguments: argparse.Namespace) -> None:
    """Times one process, then several."""
    trial = Trial(
        arguments.method, arguments.backbone, arguments.side, arguments.channels, arguments.batch, arguments.steps
    )
    one = seconds(trial, alone=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "seconds.json"
        group = Group(arguments.devices, meeting=f"file://{folder}/meeting")
        group.check()
        spawn(_rank, (group, trial, out), nprocs=group.size)  # type: ignore[no-untyped-call]
        several = read_json(out)
    for name, whole, part in zip(("passed", "computed"), one, several, strict=True):
        print(
            f"{name}: {1000 * whole:.1f} ms a step by 1, {1000 * part:.1f} ms by {group.size}: {whole / part:.2f} times"
        )


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("method")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--devices", type=int, default=2)
    program.run(speed, parser)
