"""The same training by one process and by several, in double precision so that only real differences show."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmark.api import Batch, Needs
from benchmark.config import MethodFile, Training, load_method, parse
from benchmark.distributed.fit import shared_out
from benchmark.distributed.group import Group
from benchmark.distributed.methods import way_of
from benchmark.training.data import Sets, Tensors, load_sets
from benchmark.training.fit import Fit
from benchmark.training.seed import limit_threads, make_method, task_of

CONFIGS = Path(__file__).parents[2] / "pipelines" / "configs" / "methods"
Side = tuple[dict[str, Tensor], list[dict[str, float]]]
"""Weights and buffers after the last epoch, and the log."""


class Double(Tensors):
    """Images in double precision."""

    def batch(self, rows: Tensor | slice, needs: Needs) -> Batch:
        batch = super().batch(rows, needs)
        return replace(batch, image=batch.image.double(), mask=None if batch.mask is None else batch.mask.double())


def trained(pack: Path, name: str, ways: bool, precision: str = "64-true", **changes: Any) -> Side:
    """Trains a method of ``pipelines/configs/methods``, alone or as a rank of the present group."""
    limit_threads()
    found: MethodFile = load_method(CONFIGS / f"{name}.yaml")
    options = {**found.options, **changes.pop("options", {})}
    few = {"epochs": 1, "batch_size": 23, "shift_px": 1}
    settings = parse(Training, {**found.training.model_dump(), **few, **changes}, name)
    method = make_method(found.method, options)
    kind = shared_out(way_of(found.method, method)) if ways else Fit
    sets = load_sets(pack, method.needs)
    if precision == "64-true":
        sets = Sets(**{key: each and Double(**vars(each)) for key, each in vars(sets).items()})
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    fit = kind(method, task_of(sets.train, settings.backbone), settings, 0, sets, fabric)
    torch.set_default_dtype(torch.float64 if precision == "64-true" else torch.float32)  # what Fabric returns logits in
    try:
        state = fit.run(lambda _: None)
    finally:
        torch.set_default_dtype(torch.float32)
    return {key: value.detach().clone() for key, value in fit.plain.state_dict().items()}, state.log


def rank(local: int, group: Group, calls: list[tuple[Any, ...]], out: str) -> None:
    """Trains everything that is asked for, and leaves what came out."""
    from benchmark.backbone import import_timm

    import_timm()
    found: list[Any] = []
    with group.joined(local):
        for pack, name, changes in calls:
            found.append(trained(pack, name, True, **changes))
    torch.save(found, Path(out) / f"{local}.pt")


def by_ranks(calls: list[tuple[Any, ...]], size: int = 2) -> list[list[Side]]:
    """What every rank has after each of the calls ``(pack, name, changes)``."""
    with tempfile.TemporaryDirectory() as folder:
        group = Group(size, meeting=f"file://{folder}/meeting")
        torch.multiprocessing.spawn(rank, (group, calls, folder), nprocs=size)
        return [torch.load(Path(folder) / f"{local}.pt") for local in range(size)]


def farthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of two sets of weights, relative to the largest value of each tensor."""
    assert one.keys() == other.keys()
    apart = [
        ((one[key] - other[key]).abs().max() / one[key].abs().max().clamp(min=1e-3)).item()
        for key in one
        if one[key].is_floating_point()
    ]
    return max(apart)


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The norm of the difference of two sets of weights, relative to their norm."""
    whole, rest = (torch.cat([side[key].double().flatten() for key in one]) for side in (one, other))
    return float((whole - rest).norm() / whole.norm())
