"""The deployed module: images in, logits out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmark.testing.case import Case, require


def logits(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """What a module says without a graph."""
    with torch.no_grad():
        found: Tensor = model(*inputs)
    return found


def check_deploys_logits(case: Case) -> None:
    """``[B, K]`` finite float32 numbers, from images alone unless ``needs.mask_at_test``."""
    require_logits(case, 1, 3)


def check_takes_colour_images(case: Case) -> None:
    """Three channels as well as one."""
    require_logits(case, 3, 3)


def check_takes_two_classes(case: Case) -> None:
    """Any number of classes from two."""
    require_logits(case, 1, 2)


def require_logits(case: Case, channels: int, classes: int) -> None:
    """Shape, kind and numbers of the logits of such a task."""
    model = case.method.deploy(case.build(channels, classes)).eval()
    found = logits(model, case.inputs(case.eight(channels, classes)))
    require(isinstance(found, Tensor), f"the deployed module returns {type(found).__name__}, expected one tensor")
    require(found.shape == (8, classes), f"logits have the shape {tuple(found.shape)}, expected (8, {classes})")
    require(found.dtype == torch.float32, f"logits are {found.dtype}, expected torch.float32")
    require(torch.isfinite(found).all(), "logits are not finite")


def check_logits_do_not_depend_on_the_batch(case: Case) -> None:
    """An image gets the same logits alone and among others."""
    model, inputs = case.deployed, case.inputs(case.eight())
    together = logits(model, inputs)
    alone = torch.cat([logits(model, tuple(each[row : row + 1] for each in inputs)) for row in range(8)])
    torch.testing.assert_close(together, alone, msg=lambda text: f"logits depend on the rest of the batch: {text}")


def check_predictions_repeat_themselves(case: Case) -> None:
    """No dropout and no random draw at run time."""
    model, inputs = case.deployed, case.inputs(case.eight())
    first, second = logits(model, inputs), logits(model, inputs)
    require(torch.equal(first, second), "two predictions of the same images differ")


def check_deploying_leaves_the_network_alone(case: Case) -> None:
    """Validation deploys after every epoch, and the training goes on."""
    network = case.network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    logits(case.method.deploy(network).eval(), case.inputs(case.eight()))
    after = network.state_dict()
    require(before.keys() == after.keys(), "deploy adds or removes weights of the network")
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    require(not changed, f"deploy changes {', '.join(changed)}")
