"""The contract, and the formula by hand."""

from collections.abc import Callable

import torch
from border_cutout import BorderCutout, frame

from benchmark.testing import parametrize_with_checks


@parametrize_with_checks([BorderCutout])
def test_keeps_the_contract(check: Callable[[], None]) -> None:
    """Shapes, gradients, seeds, resume, export: all that the benchmark relies on."""
    check()


def test_the_frame_is_as_wide_as_it_is_told() -> None:
    """Of 4 x 5 pixels, a frame of none, of one, and of two, which covers all."""
    by_hand = [
        [[0, 0, 0, 0, 0]] * 4,
        [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]],
        [[1, 1, 1, 1, 1]] * 4,
    ]
    torch.testing.assert_close(frame(torch.tensor([0, 1, 2]), 4, 5)[:, 0], torch.tensor(by_hand).float())
