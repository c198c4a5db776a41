"""Random draws of a loss that sees a rank's images: made for the whole batch, of which the rank takes its rows."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from benchmark.errors import BenchmarkError

SIZE_AFTER = {torch.rand: 0, torch.randn: 0, torch.randint: 2}
"""Where the size stands among the arguments: ``rand(size)``, ``randint(low, high, size)``."""


class WholeBatchDraws(TorchFunctionMode):
    """Draws from a generator are one process's: a number an image is drawn for all images of the batch.

    A draw whose first dimension is the number of this rank's images is one an image; a single number is the batch's.

    Args:
        rng: The generator.
        images: Of the whole batch.
        mine: This rank's.
    """

    def __init__(self, rng: torch.Generator, images: int, mine: slice) -> None:
        super().__init__()
        self.rng, self.images, self.mine = rng, images, mine

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is not self.rng:
            return func(*args, **kwargs)
        if func not in SIZE_AFTER or "size" in kwargs:
            self.refuse(func)
        before = SIZE_AFTER[func]
        if func is torch.randint and len(args) == 2:  # randint(high, size)
            before = 1
        first, size = args[:before], args[before:]
        if len(size) == 1 and isinstance(size[0], (tuple, list)):
            size = tuple(size[0])
        if not size:
            return func(*args, **kwargs)
        if size[0] != self.mine.stop - self.mine.start:
            self.refuse(func)
        return func(*first, (self.images, *size[1:]), **kwargs)[self.mine]

    def refuse(self, func: Any) -> None:
        """Raises the error of a draw that is not one an image.

        Raises:
            BenchmarkError: Always.
        """
        raise BenchmarkError(
            "a draw of the loss cannot be shared out over processes",
            got=getattr(func, "__name__", str(func)),
            expected="one number an image (rand, randn, randint), or a single number",
            do="Train this method in one process.",
        )
