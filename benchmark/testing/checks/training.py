"""Whole trainings by the harness: a few steps on tiny images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

from benchmark.testing.case import Case, require
from benchmark.testing.checks.outputs import logits


def difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """The first of two networks' weights that differs; empty where all bits are equal."""
    if one.keys() != other.keys():
        return "names"
    return next((name for name, value in one.items() if not same_bits(value, other[name])), "")


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Equal kinds, shapes and numbers."""
    return one.dtype == other.dtype and torch.equal(one, other)


def check_equal_seeds_give_equal_bits(case: Case) -> None:
    """Two trainings from one seed have the same bits after an epoch (after all of them: see the next but one)."""
    found = difference(case.after_first_epoch, case.first_epoch(0))
    require(not found, f"two trainings from seed 0 differ in {found}")


def check_other_seeds_give_other_bits(case: Case) -> None:
    """A seed reaches the weights."""
    require(difference(case.after_first_epoch, case.first_epoch(1)), "seeds 0 and 1 give the same weights")


def check_resumes_to_equal_bits(case: Case) -> None:
    """Killed after every epoch and resumed, a training ends in the bits of an undisturbed one."""
    found = difference(case.trained.best, case.train_in_pieces().best)
    require(not found, f"a training that was killed after every epoch differs in {found}")


def check_weights_survive_saving(case: Case) -> None:
    """The trained weights, saved and loaded into a network of another seed, give the same logits."""
    first, second = case.build(seed=0), case.build(seed=1)
    first.load_state_dict(case.trained.best)
    stored = load(save({name: value.contiguous() for name, value in case.trained.best.items()}))
    second.load_state_dict(stored)
    inputs = case.inputs(case.eight())
    one, other = (logits(case.method.deploy(each).eval(), inputs) for each in (first, second))
    require(
        torch.equal(one, other), "a saved and loaded network gives other logits: something is not in its state_dict"
    )
