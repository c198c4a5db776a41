"""The model as it is deployed, for the time of one explanation: what an explainer may not leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode, and no gradient of the parameters: they cost time, and nobody asks for them.

    In training mode the statistics of batch norm would mix the images of a batch, and move. Everything is put back as
    it was, module by module and parameter by parameter, after an error as well.
    """
    modes = [(module, module.training) for module in model.modules()]
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        model.eval()
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield model
    finally:
        for module, training in modes:
            module.training = training
        for parameter in wanted:
            parameter.requires_grad_(True)
