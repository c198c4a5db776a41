import hashlib
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.seeding import derive, numpy_stream, torch_stream

ROOT = Path(__file__).resolve().parents[1]
SEEDS = st.integers(0, 2**32)
NAMES = st.lists(st.one_of(st.sampled_from(["init", "order", "injection"]), st.integers(0, 99)), max_size=3)


def by_hand(text):
    """Eight bytes of BLAKE2b as one big-endian number, its lowest bit dropped."""
    number = 0
    for byte in hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest():
        number = number * 256 + byte
    return number // 2


def test_the_value_is_the_hash_of_the_address():
    assert derive(7, "order", 3) == by_hand('[7, "order", 3]')
    assert derive(0) == by_hand("[0]")


def test_the_value_is_the_same_for_ever():
    # `printf '[0, "attribution"]' | b2sum -l 64` prints the hash
    assert derive(0, "attribution") == int("7a03ba6a48aac3ab", 16) >> 1


@settings(deadline=None)
@given(SEEDS, NAMES)
def test_the_value_fits_a_signed_64_bit_seed(seed, names):
    assert 0 <= derive(seed, *names) < 2**63


def test_seed_names_and_their_order_all_count():
    addresses = [
        (0, "a"),
        (1, "a"),
        (0, "b"),
        (0, "a", "b"),
        (0, "b", "a"),
        (0, "a", 1),
        (0, "a", 2),
        (0, "a", 1, 2),
        (0, "a/b"),
        (0, "1"),
        (0, 1),
    ]
    assert len({derive(*address) for address in addresses}) == len(addresses)


def draws(stream):
    """Eight numbers of a stream of either kind."""
    if isinstance(stream, torch.Generator):
        return torch.rand(8, generator=stream).tolist()
    return stream.random(8).tolist()


@pytest.mark.parametrize("make", [numpy_stream, torch_stream])
class TestStreams:
    def test_equal_address_equal_bits(self, make):
        assert draws(make(3, "order", 7)) == draws(make(3, "order", 7))

    def test_a_draw_in_one_stream_moves_no_other(self, make):
        alone = draws(make(3, "order", 7))
        other = make(3, "augmentation", 7)
        for _ in range(100):
            draws(other)
        assert draws(make(3, "order", 7)) == alone

    def test_the_global_state_neither_moves_nor_is_moved(self, make):
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        alone = draws(make(0, "init"))
        expected = np.random.random(), torch.rand(1).item()  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        assert (np.random.random(), torch.rand(1).item()) == expected  # noqa: NPY002
        assert draws(make(0, "init")) == alone

    def test_neighbouring_streams_are_uncorrelated(self, make):
        streams = [make(seed, name, epoch) for seed in (0, 1) for name in ("order", "init") for epoch in (0, 1)]
        size = 4000
        rows = [
            torch.rand(size, generator=each).numpy() if isinstance(each, torch.Generator) else each.random(size)
            for each in streams
        ]
        # the correlation of independent streams has standard deviation 1/sqrt(4000) = 0.0158: 5 of them
        assert all(abs(np.corrcoef(one, other)[0, 1]) < 0.08 for one, other in pairwise(rows))


def test_the_streams_are_seeded_with_the_derived_value():
    assert draws(numpy_stream(5, "x")) == np.random.default_rng(by_hand('[5, "x"]')).random(8).tolist()
    assert draws(torch_stream(5, "x")) == draws(torch.Generator().manual_seed(by_hand('[5, "x"]')))


def test_another_process_draws_the_same():
    code = "from benchmark.seeding import numpy_stream; print(numpy_stream(2, 'order', 1).integers(0, 2**62))"
    command = [sys.executable, "-c", code]
    for salt in ("1", "2"):
        env = {"PYTHONHASHSEED": salt}
        found = subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=ROOT)
        assert int(found.stdout) == numpy_stream(2, "order", 1).integers(0, 2**62)
