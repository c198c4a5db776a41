"""A trained model as scoring uses it: images to logits, to heatmaps and to features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.api import Floats, Task, UInt8
from benchmark.errors import BenchmarkError
from benchmark.files import read_json
from benchmark.registry import EXPLAINERS
from benchmark.training.job import RECORD
from benchmark.training.seed import WEIGHTS, make_method

BATCH = 250
"""Images that pass a network at once: more of them would leave the cache."""


class UnknownOperation(BenchmarkError):
    """An explainer does not know an operation of a model: there is no heatmap."""


class NotFinite(BenchmarkError):
    """A weight of a trained model is NaN or infinite."""


def load_model(folder: Path, method_name: str, options: dict[str, Any]) -> nn.Module:
    """The deployable module of a finished seed, in evaluation mode.

    Raises:
        BenchmarkError: If its files are missing, damaged or of another network; :class:`NotFinite` for a weight.
    """
    method = make_method(method_name, options)
    with told(folder):
        network = method.build(Task(**read_json(folder / RECORD)["task"]))
        weights = load_file(folder / WEIGHTS)
        network.load_state_dict(weights)
    if bad := [name for name, value in weights.items() if not value.isfinite().all()]:
        raise NotFinite(f"weight {bad[0]!r} in {folder} is not finite", do="Look for a training that diverged.")
    return method.deploy(network).eval()


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Turns what damaged files of a finished seed raise into one sentence."""
    try:
        yield
    except BenchmarkError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError, SafetensorError) as error:
        raise BenchmarkError(
            f"trained model in {folder} cannot be read",
            got=f"{type(error).__name__}: {error}"[:300],
            expected=f"{RECORD} and {WEIGHTS} of one training",
            do="Delete the folder and run `dvc repro`: it is trained again.",
        ) from error


class GivenMask(nn.Module):
    """A module of images and masks as a function of the images alone, at the masks of one batch.

    An explainer may run several versions of each image at once, stacked as whole batches: the masks come as often.
    """

    def __init__(self, model: nn.Module, mask: Tensor) -> None:
        super().__init__()
        self.model, self.mask = model, mask

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.model(image, self.mask.repeat(len(image) // len(self.mask), 1, 1, 1))
        return logits


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Images ``[N, H, W, C]`` of a pack as a model takes them."""
    return torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255


def mask_tensor(mask: NDArray[np.uint8]) -> Tensor:
    """Masks ``[N, H, W]`` of a pack as a model takes them."""
    return torch.from_numpy(mask)[:, None].float()


def heatmaps(explainer: str, model: nn.Module, image: Tensor, target: Tensor) -> Floats:
    """Signed relevance summed over channels, ``[N, H, W]``, for images ``[N, C, H, W]`` in [0, 1].

    Raises:
        UnknownOperation: If the explainer does not know an operation of the model, or it is no model for it.
    """
    try:
        relevance: Floats = EXPLAINERS.get(explainer)(model, image, target).detach().sum(dim=1).cpu().numpy()
    except NotImplementedError as error:
        raise UnknownOperation(
            f"{explainer} cannot explain the model", got=str(error), do="Look at another explainer."
        ) from error
    return relevance


Masks = Callable[[UInt8, UInt8], UInt8]
"""``(image, the true mask) -> the mask that the model gets``."""


def true_masks(image: UInt8, mask: UInt8) -> UInt8:
    """The masks as they are."""
    return mask


def predictor(model: nn.Module, given: Masks | None) -> Callable[[UInt8, UInt8], Floats]:
    """Images ``[N, H, W, C]`` and masks ``[N, H, W]`` of a pack to logits ``[N, K]``.

    Args:
        model: Takes masks beside images where ``given`` is set.
        given: What becomes of the masks before the model gets them; ``None`` for a model of images alone.
    """

    @torch.no_grad()
    def predict(image: UInt8, mask: UInt8) -> Floats:
        logits = []
        for start in range(0, len(image), BATCH):
            rows = slice(start, start + BATCH)
            inputs = [to_tensor(image[rows])]
            if given is not None:
                inputs.append(mask_tensor(given(image[rows], mask[rows])))
            logits.append(model(*inputs))
        found: Floats = torch.cat(logits).cpu().numpy()
        return found

    return predict


def featurizer(model: nn.Module, given: Masks | None) -> Callable[[UInt8, UInt8], Floats] | None:
    """What the last linear layer that runs is given, ``[N, F]``; ``None`` for a model that ends in no such layer."""
    predict, seen = predictor(model, given), []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs[0].ndim == 2:
            seen.append(inputs[0].detach())

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        return None

    def features(image: UInt8, mask: UInt8) -> Floats:
        hooks = [layer.register_forward_hook(keep) for layer in layers]
        parts = []
        try:
            for start in range(0, len(image), BATCH):
                seen.clear()
                predict(image[start : start + BATCH], mask[start : start + BATCH])
                parts.append(seen[-1].cpu().numpy() if seen else np.empty((0, 0)))
        finally:
            for hook in hooks:
                hook.remove()
        return np.concatenate(parts)

    return features
