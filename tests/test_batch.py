"""What a batch says of what it does not hold."""

import pytest
import torch

from benchmark.api import Batch
from benchmark.errors import BenchmarkError


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("masks", r"without masks\. Set needs\.masks on the method"),
        ("codes", r"without codes\. Set needs\.groups on the method"),
        ("rows", "without rows"),
    ],
)
def test_a_batch_hands_out_what_it_holds_and_tells_what_to_do_where_it_holds_none(name: str, told: str) -> None:
    image, label, held = torch.zeros(2, 1, 4, 4), torch.zeros(2, dtype=torch.int64), torch.ones(2)
    assert getattr(Batch(image, label, **{name.removesuffix("s"): held}), name) is held
    with pytest.raises(BenchmarkError, match=told):
        getattr(Batch(image, label), name)
