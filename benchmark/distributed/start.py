"""Starts this machine's ranks and trains the seeds of a cell with them, one after the other."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.process import BaseProcess
from typing import Any

from benchmark.distributed import seeds
from benchmark.distributed.group import Group
from benchmark.errors import BenchmarkError
from benchmark.training.job import THREADS, Job
from benchmark.training.progress import Display

GRACE = 3.0
"""Seconds in which the other ranks may tell a better reason than that one of them is gone."""

LOST = "another process of this training is gone"


def train_seeds(jobs: Sequence[Job], display: Display, group: Group) -> None:
    """Trains every job that is not finished, each by all ranks.

    Args:
        jobs: One a seed.
        display: Told of every epoch on the first machine.
        group: The processes.

    Raises:
        BenchmarkError: If a method cannot be shared out, before anything starts. Of the first rank that failed, or when
            one is killed; all others of this machine are stopped, and the checkpoints stay.
    """
    group.check()
    seeds.kinds(jobs)
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(THREADS)  # read when the ranks load torch
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    with tempfile.TemporaryDirectory() as folder, display:
        here = group if group.nodes > 1 else replace(group, meeting=f"file://{folder}/meeting")
        ranks = [
            context.Process(target=_rank, args=(list(jobs), here, local, messages), daemon=True)
            for local in range(group.devices)
        ]
        for rank in ranks:
            rank.start()
        try:
            _watch(ranks, messages, display)
        finally:
            for rank in ranks:
                if rank.is_alive():
                    rank.kill()
                rank.join()


def _watch(ranks: Sequence[BaseProcess], messages: Any, display: Display) -> None:
    """Shows progress until all ranks have ended.

    Raises:
        BenchmarkError: As soon as one ends in an error.
    """
    errors: list[BenchmarkError] = []
    deadline: float | None = None
    while any(rank.is_alive() for rank in ranks) and (deadline is None or time.monotonic() < deadline):
        multiprocessing.connection.wait([rank.sentinel for rank in ranks if rank.is_alive()], timeout=0.2)
        _drain(messages, display, errors)
        if deadline is None and any(rank.exitcode not in (None, 0) for rank in ranks):
            deadline = time.monotonic() + GRACE
        if any(error.what != LOST for error in errors):
            break
    _drain(messages, display, errors)
    ended = [rank.exitcode for rank in ranks]
    if not errors and not any(ended):
        return
    told = [error for error in errors if error.what != LOST]
    if told:
        raise told[0]
    killed = [
        f"process {number} of this machine by signal {-code}" for number, code in enumerate(ended) if code and code < 0
    ]
    if killed:
        raise BenchmarkError(
            "a training process was killed from outside",
            got=", ".join(killed),
            do="Free memory or use fewer --devices, then run again: it goes on from the last epoch.",
        )
    raise errors[0] if errors else BenchmarkError("a training process ended without a word", got=ended)


def _drain(messages: Any, display: Display, errors: list[BenchmarkError]) -> None:
    while True:
        try:
            message = messages.get_nowait()
        except queue.Empty:
            return
        if isinstance(message, BenchmarkError):
            errors.append(message)
        else:
            display.show(*message)


def _rank(jobs: list[Job], group: Group, local: int, messages: Any) -> None:
    """The life of one rank."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and stops all of them
    try:
        seeds.train(jobs, group, local, lambda *progress: messages.put(progress))
    except BenchmarkError as error:
        messages.put(error)
        code = 1
    except RuntimeError as error:
        if not seeds.lost(error):
            raise
        messages.put(BenchmarkError(LOST, got=str(error)[:200], do="See what it said; run again on all machines."))
        code = 1
    else:
        code = 0
    messages.close()
    messages.join_thread()
    os._exit(code)  # no farewell to ranks that are gone: they would be waited for


def _end_with_parent() -> None:
    """Ends this rank when the process that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
