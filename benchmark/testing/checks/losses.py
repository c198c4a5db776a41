"""The loss of every phase, on ordinary and on degenerate batches."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.api import Batch, Phase
from benchmark.errors import BenchmarkError
from benchmark.testing.case import STEPS, Case, require, trained_by

FALL = 0.6


def loss_of(phase: Phase, network: nn.Module, batch: Batch, seed: int = 0) -> Mapping[str, Tensor]:
    """The terms of a phase's loss from a generator of its own."""
    return phase.loss(network, batch, torch.Generator().manual_seed(seed))


def degenerate(batch: Batch) -> dict[str, Batch]:
    """Batches that happen: small sets, failed segmentations, rare classes."""
    first = batch.label[0]
    found: dict[str, Batch] = {
        "one class": replace(batch, label=torch.full_like(batch.label, int(first))),
        "black images": replace(batch, image=torch.zeros_like(batch.image)),
    }
    if batch.mask is not None:
        found["masks of background only"] = replace(batch, mask=torch.zeros_like(batch.mask))
        found["masks of foreground only"] = replace(batch, mask=torch.ones_like(batch.mask))
    if batch.code is not None:
        found["one group"] = replace(batch, label=torch.full_like(batch.label, 0), code=torch.full_like(batch.code, 0))
        found["no marks"] = replace(batch, code=torch.full_like(batch.code, -1))
    return found


def require_gradients(phase: Phase, network: nn.Module, batch: Batch, what: str) -> None:
    """Finite terms, and a finite gradient for every weight that the phase trains."""
    terms = loss_of(phase, network, batch)
    require("loss" in terms, f"phase {phase.name!r} returns {sorted(terms)}, expected a term 'loss'")
    for name, term in terms.items():
        require(term.ndim == 0, f"{name} of phase {phase.name!r} has the shape {tuple(term.shape)}, expected a scalar")
        require(torch.isfinite(term), f"{name} of phase {phase.name!r} is {term.item()} on {what}")
    weights = trained_by(phase, network)
    require(weights, f"phase {phase.name!r} has epochs and trains no weight")
    torch.autograd.backward(terms["loss"], inputs=list(weights.values()))
    for name, weight in weights.items():
        if weight.grad is None:
            raise AssertionError(f"phase {phase.name!r} trains {name}, which has no gradient on {what}")
        require(torch.isfinite(weight.grad).all(), f"the gradient of {name} is not finite on {what}")


def check_gradients_are_finite(case: Case) -> None:
    """Every weight that a phase trains has a finite gradient."""
    for phase, network in case.starts:
        require_gradients(phase, copy.deepcopy(network), case.eight(), "an ordinary batch")


def check_gradients_are_finite_on_degenerate_batches(case: Case) -> None:
    """Also with one class, black images, and masks that are all background or all foreground.

    Such a mask may be refused with a ``ValueError`` that tells why: a loss may be undefined there.
    """
    for phase, network in case.starts:
        for what, batch in degenerate(case.eight()).items():
            try:
                require_gradients(phase, copy.deepcopy(network), batch, what)
            except ValueError:
                if "masks" not in what:
                    raise


def check_gradients_are_finite_on_colour_images(case: Case) -> None:
    """And on images of three channels."""
    for phase, network in case.phases(channels=3):
        require_gradients(phase, network, case.eight(channels=3), "colour images")


def check_validates(case: Case) -> None:
    """The loss is finite with ``network.training`` off and under ``no_grad``, and changes nothing in the network."""
    for phase, start in case.starts:
        network = copy.deepcopy(start).eval()
        with torch.no_grad():
            terms = loss_of(phase, network, case.eight())
        require(all(torch.isfinite(term) for term in terms.values()), f"validation of {phase.name!r} is not finite")
        after = network.state_dict()
        changed = [name for name, value in start.state_dict().items() if not torch.equal(value, after[name])]
        require(not changed, f"validation of phase {phase.name!r} changes {', '.join(changed)}")


def check_loss_falls(case: Case) -> None:
    """Every phase learns eight images in a moment: from an untrained network, or from what the phases before made."""
    untrained = [(phase, fall(case, phase, copy.deepcopy(network))) for phase, network in case.starts]
    if all(ratio < FALL for _, ratio in untrained):
        return
    fit = case.fit()
    for number, phase in enumerate(fit.phases):
        fit.begin(number)
        ratio = fall(case, phase, fit.plain.train(), stop=False) if phase.epochs else 0.0
        fit.keep()
        best = min([ratio, *(found for each, found in untrained if each.name == phase.name)])
        require(best < FALL, f"the loss of {phase.name!r} falls to {best:.2f} of what it was in {STEPS} steps only")


def fall(case: Case, phase: Phase, network: nn.Module, stop: bool = True) -> float:
    """How far the loss of a phase falls on eight images, as a share of what it was; the network is trained.

    With ``stop`` it ends when that is far enough.
    """
    weights = list(trained_by(phase, network).values())
    optimizer = torch.optim.AdamW(weights, lr=3e-3)
    batch, losses, ratio = case.eight(), list[float](), 1.0
    for step in range(STEPS):
        loss = loss_of(phase, network, batch, step)["loss"]
        optimizer.zero_grad()
        torch.autograd.backward(loss, inputs=weights)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.item())
        ratio = sum(losses[-5:]) / sum(losses[:5])
        if stop and step >= 5 and ratio < FALL:
            break
    return ratio


class Wrapped(nn.Module):
    """What mixed precision or data parallelism puts around a network: only ``forward`` goes through."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


def check_works_on_a_wrapped_network(case: Case) -> None:
    """The loss calls ``network(...)``, never ``network.part(...)``."""
    for phase, network in case.starts:
        plain = loss_of(phase, copy.deepcopy(network), case.eight())["loss"]
        try:
            wrapped = loss_of(phase, Wrapped(copy.deepcopy(network)).train(), case.eight())["loss"]
        except AttributeError as error:
            raise AssertionError(f"the loss of {phase.name!r} reaches into a wrapped network: {error}") from error
        require(torch.equal(plain, wrapped), f"the loss of {phase.name!r} is another on a wrapped network")


def check_leaves_its_inputs_alone(case: Case) -> None:
    """Images, labels, masks and codes are the same after a loss, and all sets after every phase's start."""
    sets = case.sets()
    kept = copy.deepcopy(sets)
    for phase, network in case.phases(sets=sets):
        batch = case.eight()
        copied = copy.deepcopy(batch)
        loss_of(phase, network, batch)
        for each in fields(Batch):
            before, after = getattr(copied, each.name), getattr(batch, each.name)
            require(
                before is after or torch.equal(before, after), f"the loss of {phase.name!r} changes batch.{each.name}"
            )
    for name in ("train", "val", "balanced"):
        for each in fields(sets.train):
            before, after = (getattr(getattr(one, name), each.name) for one in (kept, sets))
            require(torch.equal(before, after), f"{each.name} of the {name} set is changed")


def check_sees_only_what_it_declares(case: Case) -> None:
    """The loss works without all that ``needs`` does not name."""
    needs = case.method.needs
    try:
        for phase, network in case.phases():
            loss_of(phase, network, case.eight())
    except Exception as error:
        raise AssertionError(
            f"the method fails with what it declares ({needs.describe()}): {type(error).__name__}: {error}"
        ) from error


def check_misses_what_it_declares(case: Case) -> None:
    """Without something that ``needs`` names it stops with a ``BenchmarkError``, instead of training something else."""
    for need in ("masks", "groups", "balanced"):
        if getattr(case.method.needs, need):
            try:
                walk_without(case, need)
            except BenchmarkError:
                continue
            except Exception as error:
                raise AssertionError(f"without {need}: {type(error).__name__}, expected BenchmarkError") from error
            raise AssertionError(f"declares needs.{need} and does not miss it")


def walk_without(case: Case, need: str) -> None:
    """All phases' starts and losses, with one declared thing withheld."""
    fit = case.fit()
    declared = case.method.needs
    if need == "balanced":
        fit.sets = replace(fit.sets, balanced=None)
    else:
        fit.method.needs = replace(declared, **{need: False, **({"mask_at_test": False} if need == "masks" else {})})
    for number, phase in enumerate(fit.phases):
        fit.begin(number)
        fit.keep()
        if phase.epochs:
            batch = case.eight()
            batch = replace(batch, mask=None if need == "masks" else batch.mask)
            loss_of(phase, fit.plain.train(), replace(batch, code=None if need == "groups" else batch.code))


def check_draws_with_usable_weights(case: Case) -> None:
    """A phase that draws images by weight gives every training image one that is finite and not negative."""
    fit = case.fit()
    for number, phase in enumerate(fit.phases):
        fit.begin(number)
        fit.keep()
        if phase.weights is not None and phase.epochs:
            weights = phase.weights(fit.plain.eval(), fit.sets.seen(fit.method.needs))
            expected = (len(fit.sets.train),)
            require(
                weights.shape == expected, f"weights of {phase.name!r}: {tuple(weights.shape)}, expected {expected}"
            )
            require(torch.isfinite(weights).all() and (weights >= 0).all(), f"weights of {phase.name!r} are no weights")
            require(weights.sum() > 0, f"weights of {phase.name!r} are all zero")
