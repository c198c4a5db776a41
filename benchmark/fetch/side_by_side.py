"""Work on several items at once, in threads that hold nobody: who stops the program need not wait for a server.

The executors of the standard library wait for their threads when the program ends; one that hears nothing from a server
would hold it for a minute.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int, stop: threading.Event
) -> list[Result | Exception]:
    """What the work gives for each item, or the error that it ends in.

    Args:
        work: Is called by several threads.
        items: Taken in their order.
        jobs: Threads.
        stop: Set when the caller is interrupted; the work should look at it.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)
    results: dict[int, Result | Exception] = {}

    def loop() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results[number] = work(items[number])
            except Exception as error:
                results[number] = error

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(jobs, len(items)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        raise
    return [results[number] for number in range(len(items))]
