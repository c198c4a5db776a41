"""Too little memory or disk: one sentence, and nothing that was kept is lost."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import make_job
from torch import nn

from baselines.erm import ERM
from benchmark.api import Batch
from benchmark.errors import BenchmarkError
from benchmark.training import seed
from benchmark.training.faults import disk_told, memory_told


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to write more into any file, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_a_full_disk_is_one_error_that_keeps_the_last_checkpoint_and_the_next_run_goes_on(
    pack: Path, tmp_path: Path
) -> None:
    whole = make_job(pack, tmp_path / "whole" / "seed-0")
    seed.run(whole, lambda *_: None)
    job = make_job(pack, tmp_path / "full" / "seed-0")
    kept: list[bytes] = []
    epochs: list[int] = []

    def fill(_: int, done: int, *__: object) -> None:
        epochs.append(done)
        kept.append(job.checkpoint.read_bytes())
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept[0]) // 2, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with (
        largest_file(resource.RLIM_INFINITY),
        pytest.raises(BenchmarkError, match=r"seed-0\.checkpoint could not be written.*Free disk space"),
    ):
        seed.run(job, fill)
    assert epochs == [1]
    assert job.checkpoint.read_bytes() == kept[0]
    assert [file.name for file in job.folder.parent.iterdir()] == [job.checkpoint.name]  # no temporary file is left
    seed.run(job, lambda _, done, *__: epochs.append(done))
    assert epochs == [1, 2, 3]
    assert content(job.folder) == content(whole.folder)


def test_a_full_disk_at_the_end_leaves_no_half_folder_and_the_next_run_trains_nothing(
    pack: Path, tmp_path: Path
) -> None:
    job = make_job(pack, tmp_path / "seed-0", epochs=1)

    def fill(*_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with (
        largest_file(resource.RLIM_INFINITY),
        pytest.raises(BenchmarkError, match=r"seed-0 could not be written.*Free disk space"),
    ):
        seed.run(job, fill)
    assert not job.folder.exists() and job.checkpoint.exists()
    epochs: list[object] = []
    seed.run(job, lambda *message: epochs.append(message))
    assert epochs == []
    assert job.is_in(job.folder)


def test_a_read_only_folder_is_told_apart_from_a_full_disk(tmp_path: Path) -> None:
    for code, do in ((errno.EROFS, "Make the folder writable"), (errno.ENOSPC, "Free disk space")):
        told = rf"out could not be written; got '{os.strerror(code)}'. {do}"
        with pytest.raises(BenchmarkError, match=told), disk_told(tmp_path / "out"):
            raise OSError(code, os.strerror(code))


def test_memory_that_is_refused_names_the_training_and_the_batch_size() -> None:
    told = r"memory is not enough for a-b-c seed 1; got .*Lower batch_size \(now 64\)"
    with pytest.raises(BenchmarkError, match=told), memory_told("a-b-c seed 1", 64):
        torch.empty(1 << 60)
    with pytest.raises(BenchmarkError, match=told), memory_told("a-b-c seed 1", 64):
        bytearray(1 << 60)
    with pytest.raises(BenchmarkError, match=told), memory_told("a-b-c seed 1", 64):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_told("a-b-c seed 1", 64):
        torch.zeros(3).view(2, 2)
    with pytest.raises(BenchmarkError, match="a heatmap"), memory_told("a-b-c seed 1", 64):
        raise BenchmarkError("a heatmap")


def test_a_training_without_memory_ends_in_that_error(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Greedy(ERM):
        def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Any:
            return {"loss": torch.empty(1 << 60).sum()}

    monkeypatch.setattr(seed, "make_method", lambda *_: Greedy(ERM.Settings()))
    with pytest.raises(BenchmarkError, match=r"strokes-corner-erm seed 0.*batch_size \(now 16\)"):
        seed.run(make_job(pack, tmp_path / "seed-0"), lambda *_: None)
