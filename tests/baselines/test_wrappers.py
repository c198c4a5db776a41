"""Losses through a wrapped network: what Fabric's mixed precision refuses, and that nothing changes without it."""

import logging

import pytest
import torch
from lightning_fabric import Fabric
from staged import Staged
from torch import nn

from baselines.wrappers import before_wrapper, full, unwrapped
from benchmark import paths
from benchmark.config import load_method
from benchmark.registry import BUILT_IN, METHODS
from benchmark.testing import Case
from benchmark.testing.case import trained_by

OURS = [name for name, entry in METHODS.table().items() if entry.origin == BUILT_IN]


def mixed(network: nn.Module) -> nn.Module:
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    return fabric.setup_module(network)


@pytest.mark.parametrize("name", OURS)
def test_a_step_in_mixed_precision_has_a_finite_loss_and_finite_gradients(name: str) -> None:
    kind = METHODS.get(name)
    backbone = load_method(paths.CONFIGS / "methods" / f"{name}.yaml").training.backbone
    case = Case(kind(kind.Settings()), backbone=backbone)
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    for phase, network in case.starts:
        loss = phase.loss(mixed(network), case.eight(), torch.Generator().manual_seed(0))["loss"]
        weights = trained_by(phase, network)
        fabric.backward(loss, inputs=list(weights.values()))
        assert loss.isfinite() and loss.dtype == torch.float32
        for weight_name, weight in weights.items():
            assert weight.grad is not None and weight.grad.isfinite().all(), (phase.name, weight_name)
        assert any(weight.grad.abs().max() > 0 for weight in weights.values())


@pytest.mark.parametrize("name", ["gain", "rrr", "rrr_gradcam", "isnet_gradinput"])
def test_mixed_precision_only_rounds_the_terms_of_a_loss_with_a_gradient_inside(name: str) -> None:
    kind = METHODS.get(name)
    case = Case(kind(kind.Settings()))
    phase, network = case.starts[0]
    network.eval()  # the statistics of eight images would enlarge what rounding does
    found, exact = (
        phase.loss(each, case.eight(), torch.Generator().manual_seed(0)) for each in (mixed(network), network)
    )
    for term, value in exact.items():
        assert found[term].item() == pytest.approx(value.item(), rel=0.1, abs=0.01), term


def test_fabric_refuses_a_gradient_that_starts_from_what_its_wrapper_returns() -> None:
    network = mixed(Staged().float())
    x = torch.rand(2, 1, 6, 6).requires_grad_()
    with before_wrapper(network) as kept:
        logits = network(x)
    with pytest.raises(RuntimeError, match=r"fabric\.backward"):  # so what is kept is needed
        torch.autograd.grad(logits.sum(), x, retain_graph=True)
    (slope,) = torch.autograd.grad(kept[0].sum(), x)
    assert slope.abs().max() > 0
    torch.testing.assert_close(kept[0], logits)


def test_what_is_kept_is_the_output_and_of_its_graph() -> None:
    network = Staged()
    x = torch.rand(2, 1, 6, 6, dtype=torch.float64).requires_grad_()
    with before_wrapper(network) as kept:
        logits = network(x)
    assert torch.equal(kept[0], logits)
    assert torch.equal(*(torch.autograd.grad(each.sum(), x, retain_graph=True)[0] for each in (kept[0], logits)))
    network(x)
    assert len(kept) == 1  # the hook is gone


def test_unwrapped_is_the_network_whether_in_a_wrapper_or_not() -> None:
    network = Staged()
    assert unwrapped(network) is network
    assert unwrapped(nn.DataParallel(network)) is network
    assert unwrapped(mixed(network)) is network


@pytest.mark.parametrize(("before", "after"), [("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")])
def test_full_precision_is_float32_at_least(before: str, after: str) -> None:
    assert full(torch.ones(1, dtype=getattr(torch, before))).dtype == getattr(torch, after)
