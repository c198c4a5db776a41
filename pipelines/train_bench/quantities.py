"""What is told of the timings of a block: images a second, and ratios of two loops in the same rounds."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

import numpy as np

from benchmark.api import Floats
from benchmark.costs import median_ratio
from pipelines.train_bench.rows import HIGH, LOW, Interval

Key = tuple[str, str]
"""Method, and the loop that trains it."""

FIT, UNSHIFTED, UNFILLED, BARE, AUTHORS = "fit", "fit_unshifted", "fit_unfilled", "bare", "authors"
CONTIGUOUS, BF16, COMPILED, SEEDS = "contiguous", "bf16", "compiled", "seeds_"
PLAIN: Key = ("erm", BARE)

GAINS = {CONTIGUOUS: "channels_last_gain", BF16: "bf16_gain", COMPILED: "compiled_gain"}
"""Images a second of another way to train ``erm``, ÷ those of the bare loop; of channels last, ÷ contiguous."""

RATIOS = {
    FIT: [("fit_to_bare", BARE, FIT), ("fit_to_authors", AUTHORS, FIT)],
    UNSHIFTED: [("fit_to_bare_no_shift", BARE, UNSHIFTED)],
    UNFILLED: [("fit_to_bare_no_fill", BARE, UNFILLED)],
    COMPILED: [(GAINS[COMPILED], BARE, COMPILED)],
    BF16: [(GAINS[BF16], BARE, BF16)],
    CONTIGUOUS: [(GAINS[CONTIGUOUS], CONTIGUOUS, BARE)],
}
"""Loop to quantities: time of the first loop ÷ time of the second, so more is faster."""


def told(seconds: Mapping[Key, Floats], batch: int, beside: Container[Key] = ()) -> Iterator[tuple[str, str, float]]:
    """Method, quantity and value.

    ``images_per_s``: of the harness's loop, the median, with its interval; ``images_per_s_best`` from the shortest
    timing, ``bare_images_per_s`` of the bare loop. ``step_ratio``: the method's bare step in bare steps of ``erm``;
    ``authors_step_ratio``: the authors' step. ``seeds_<S>_gain``: one process a seed ÷ ``S`` seeds together.

    Args:
        seconds: Of one step of one seed, ``[rounds]``.
        batch: Images a step.
        beside: Timed to be compared with, and told elsewhere.
    """
    for (method, loop), times in seconds.items():
        if (method, loop) in beside:
            continue
        if loop in (FIT, BARE):
            name = "images_per_s" if loop == FIT else "bare_images_per_s"
            yield from _ends(method, name, median_ratio(np.full(len(times), float(batch)), times))
        if loop == FIT:
            yield method, "images_per_s_best", batch / float(times.min())
        for name, above, below in RATIOS.get(loop, []):
            if (method, above) in seconds:
                yield from _ends(method, name, median_ratio(seconds[method, above], seconds[method, below]))
        if PLAIN not in seconds:
            continue
        if loop in (BARE, AUTHORS):
            name = "step_ratio" if loop == BARE else "authors_step_ratio"
            yield from _ends(method, name, median_ratio(times, seconds[PLAIN]))
        if loop.startswith(SEEDS):
            yield from _ends(method, f"{loop}_gain", median_ratio(seconds[PLAIN], times))


def _ends(method: str, quantity: str, found: Interval) -> Iterator[tuple[str, str, float]]:
    for end, value in zip(("", LOW, HIGH), found, strict=True):
        yield method, quantity + end, value
