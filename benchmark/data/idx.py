"""Arrays of bytes in gzipped IDX files: two zeros, type 8, number of axes; then each axis as a big-endian integer.

Source: the format as described on the home page of MNIST.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from benchmark.api import UInt8
from benchmark.errors import BenchmarkError

MAX_ITEMS = 2**20
"""More images than any such file has: the size that a header claims is not believed beyond this."""


def read_idx(file: Path, shape: tuple[int, ...]) -> UInt8:
    """An IDX file of bytes, ``[N, *shape]``. No more is unpacked than its header says.

    Args:
        file: Gzipped.
        shape: Of one item.

    Raises:
        BenchmarkError: Naming the file, if it is missing, damaged, cut short, too long or of another form.
    """
    try:
        with gzip.open(file, "rb") as stream:
            head = stream.read(4)
            axes = np.frombuffer(stream.read(4 * (1 + len(shape))), dtype=">u4").tolist()
            if head != bytes((0, 0, 8, 1 + len(shape))) or tuple(axes[1:]) != shape or axes[0] > MAX_ITEMS:
                raise refused(file, f"a file that begins with {head.hex()}, axes {axes}", shape)
            size = math.prod(axes)
            content = stream.read(size)
            if len(content) != size or stream.read(1):
                raise refused(file, f"{len(content)} bytes" + (" or more" if len(content) == size else ""), axes)
    except FileNotFoundError as error:
        raise BenchmarkError(f"file {file.name} is missing", got=str(file), do="Fetch the data set again.") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        if isinstance(error, BenchmarkError):
            raise
        raise refused(file, f"{type(error).__name__}: {error}", shape) from error
    return np.frombuffer(content, dtype=np.uint8).reshape(axes)


def refused(file: Path, got: str, shape: object) -> BenchmarkError:
    """The error for a file that is no such array."""
    return BenchmarkError(
        f"file {file.name} cannot be read",
        got=got,
        expected=f"a gzipped IDX file of bytes of shape {shape}",
        do="Fetch the data set again.",
    )
