"""The seeds of one cell side by side: one process each, with progress, stopped together."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import Queue
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.training.job import THREADS, Job
from benchmark.training.progress import Display

_messages: Queue[Any] | None = None


def worker_count(jobs: int, cores: int) -> int:
    """How many trainings run at once: one a core, or all of them when that leaves less than a second wave.

    Three seeds on two cores take 1.5 times one training when all three share the cores, and twice when the third
    waits for a free core. Each training keeps to one thread either way, so the bits do not depend on it.
    """
    return jobs if cores < jobs < 2 * cores else min(jobs, cores)


def train_seeds(
    jobs: Sequence[Job],
    display: Display,
    workers: int | None = None,
    *,
    keys: Sequence[int] | None = None,
    failed: Callable[[Job, BenchmarkError], None] | None = None,
) -> None:
    """Trains every job that is not finished.

    Args:
        jobs: One a seed.
        display: Told of every epoch.
        workers: Processes at once; by default :func:`worker_count`.
        keys: What the display calls each job; by default its seed.
        failed: Told of each job that ends in an error, and the others go on; by default all of them stop.

    Raises:
        BenchmarkError: Of the first job that failed, unless ``failed`` takes it; the others are stopped, their
            checkpoints stay. Also when a process is killed from outside.
    """
    cores = len(os.sched_getaffinity(0))
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(THREADS)  # read when the workers load torch
    context = multiprocessing.get_context("forkserver")  # loads torch once, and starts each worker clean of threads
    context.set_forkserver_preload(["benchmark.training.seed"])
    messages = context.Queue()
    pool = ProcessPoolExecutor(
        workers or worker_count(len(jobs), cores), context, initializer=_start_worker, initargs=(messages,)
    )
    names = [job.seed for job in jobs] if keys is None else keys
    with display, pool:
        running = {pool.submit(_work, job, key): job for job, key in zip(jobs, names, strict=True)}
        try:
            while running:
                for job, error in _ended(running):
                    if failed is None:
                        raise error
                    failed(job, error)
                display.drain(messages)
            display.drain(messages)
        except BaseException:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            raise


def _ended(running: dict[Future[None], Job]) -> list[tuple[Job, BenchmarkError]]:
    """Waits a moment, takes out what has ended, and returns what has failed."""
    done, _ = wait(running, timeout=0.2, return_when=FIRST_EXCEPTION)
    failures = []
    for future in done:
        job = running.pop(future)
        try:
            future.result()
        except BenchmarkError as error:
            failures.append((job, error))
        except BrokenProcessPool as error:
            raise BenchmarkError(
                "a training process was killed from outside",
                got="no exit message (out of memory, or a signal)",
                do="Free memory or use fewer --workers, then run again: it goes on from the last epoch.",
            ) from error
    return failures


def _start_worker(messages: Queue[Any]) -> None:
    global _messages
    _messages = messages
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and stops all of them


def _end_with_parent() -> None:
    """Ends this worker when the process that started the pool is gone, however it went: nobody reads its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _work(job: Job, key: int) -> None:
    from benchmark.training import seed  # torch is loaded in the workers, never in the parent

    if _messages is None:
        raise RuntimeError("a training worker was started without its message queue")
    seed.run(job, lambda _, *progress: _messages.put((key, *progress)) if _messages else None)
