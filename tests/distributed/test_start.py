"""Ranks that are started, killed and started again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from benchmark.cell import Cell
from benchmark.config import Training, parse
from benchmark.distributed.group import Group
from benchmark.distributed.start import train_seeds
from benchmark.errors import BenchmarkError
from benchmark.files import sha256_file
from benchmark.training.job import Job
from benchmark.training.progress import Display

TWO = Group(2)
EPOCHS = 12


def job_of(pack: Path, folder: Path, method: str = "isnet_path", **training: Any) -> Job:
    settings = {"backbone": "test_resnet", "epochs": EPOCHS, "batch_size": 16, "shift_px": 1}
    settings |= {"optimizer": {"name": "adamw", "lr": 5e-3}, **training}
    cell = Cell("bars", "corner", "isnet_path")
    return Job(cell, method, 0, pack, sha256_file(pack), parse(Training, settings, "test"), {}, folder / "seed-0")


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


class Killer(Display):
    """Kills ranks after an epoch; hears of all epochs."""

    def __init__(self, ranks: int) -> None:
        super().__init__("cell", [0], EPOCHS)
        self.ranks, self.epochs = ranks, list[int]()

    def show(self, seed: int, done: int, epochs: int, row: dict[str, float], seconds: float) -> None:
        self.epochs.append(done)
        for rank in [*multiprocessing.active_children()][: self.ranks]:
            assert rank.pid is not None
            os.kill(rank.pid, signal.SIGKILL)
        self.ranks = 0


@pytest.fixture(scope="module")
def undisturbed(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    job = job_of(pack, tmp_path_factory.mktemp("undisturbed"))
    display = Killer(0)
    train_seeds([job], display, TWO)
    assert display.epochs == list(range(1, EPOCHS + 1))  # the first rank alone tells
    assert not job.checkpoint.exists()
    return content(job.folder)


@pytest.mark.parametrize("killed", [1, 2])
def test_killed_ranks_are_one_error_and_a_new_start_ends_as_if_nothing_had_been(
    pack: Path, tmp_path: Path, undisturbed: dict[str, bytes], killed: int
) -> None:
    job = job_of(pack, tmp_path)
    with pytest.raises(BenchmarkError, match=r"killed from outside.*by signal 9.*goes on from the last epoch"):
        train_seeds([job], Killer(killed), TWO)
    assert not multiprocessing.active_children()
    assert not job.folder.exists()
    assert job.checkpoint.exists()
    after = Killer(0)
    train_seeds([job], after, TWO)
    assert after.epochs[0] > 1
    assert content(job.folder) == undisturbed


def test_the_error_of_a_rank_arrives_as_it_was(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"unknown backbone.*'nonet'"):
        train_seeds([job_of(pack, tmp_path, "erm", backbone="nonet")], Killer(0), TWO)
    assert not multiprocessing.active_children()


def test_what_cannot_start_is_refused(pack: Path, tmp_path: Path) -> None:
    job = job_of(pack, tmp_path)
    with pytest.raises(BenchmarkError, match="at least 2 processes"):
        train_seeds([job], Killer(0), Group(1))
    with pytest.raises(BenchmarkError, match=r"--node-rank; got 2; expected 0 to 1"):
        train_seeds([job], Killer(0), Group(1, nodes=2, node=2))


def second_machine(job: Job, group: Group) -> None:
    train_seeds([job], Killer(0), group)


@pytest.mark.slow
def test_two_machines_of_one_process_are_one_machine_of_two(
    pack: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    job = job_of(pack, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    other = multiprocessing.get_context("spawn").Process(target=second_machine, args=(job, Group(1, 2, 1, meeting)))
    other.start()
    display = Killer(0)
    train_seeds([job], display, Group(1, 2, 0, meeting))
    other.join()
    assert other.exitcode == 0
    assert content(job.folder) == undisturbed
