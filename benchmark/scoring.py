"""From the trained seeds of a cell to what its statistics need: merged predictions, heatmap scores, a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.api import Floats, Ints, Metric, Task
from benchmark.data.pack import read_columns
from benchmark.errors import BenchmarkError
from benchmark.files import atomic_path, read_json
from benchmark.predictions import Predictions
from benchmark.registry import EXPLAINERS, METHODS, METRICS
from benchmark.seeding import numpy_stream
from benchmark.training.job import RECORD
from benchmark.training.seed import PREDICTIONS, WEIGHTS, make_method

JUDGE = "integrated_gradients"
"""The explainer of the headline: independent of every method's training."""

EXPLAINER_SUFFIX = {JUDGE: "", "lrp_epsilon": "_lrp"}
"""Explainer to the end of its metric columns."""

SUBSET = 100
"""How many test images are attributed, drawn once a data set by the stream ``attribution``."""


def merge(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several seeds as one.

    Raises:
        BenchmarkError: If they are not of the same images.
    """
    first = parts[0]
    for part in parts[1:]:
        if not np.array_equal(part.id, first.id) or part.logits.keys() != first.logits.keys():
            raise BenchmarkError(
                "the seeds of a cell were tested on different images",
                got=f"seeds {first.seeds.tolist()} and {part.seeds.tolist()}",
                do="Delete the cell's folder under runs/ and run `dvc repro`.",
            )
    losses = [part.heatmap_loss for part in parts if part.heatmap_loss is not None]
    return replace(
        first,
        seeds=np.concatenate([part.seeds for part in parts]),
        logits={name: np.concatenate([part.logits[name] for part in parts]) for name in first.logits},
        heatmap_loss=np.concatenate(losses) if len(losses) == len(parts) else None,
    )


def load_model(folder: Path, method_name: str, options: dict[str, Any]) -> nn.Module:
    """The deployable module of a finished seed, in evaluation mode."""
    method = make_method(method_name, options)
    network = method.build(Task(**read_json(folder / RECORD)["task"]))
    network.load_state_dict(load_file(folder / WEIGHTS))
    return method.deploy(network).eval()


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


def heatmaps(explainer: str, model: nn.Module, image: Tensor, target: Tensor) -> Floats | None:
    """Signed relevance summed over channels, ``[N, H, W]``, for images ``[N, C, H, W]`` in [0, 1].

    ``None`` where the explainer does not know an operation of the model.
    """
    try:
        relevance: Floats = EXPLAINERS.get(explainer)(model, image, target).detach().sum(dim=1).cpu().numpy()
    except NotImplementedError:
        return None
    return relevance


def image_scores(metric: Metric, maps: Floats | None, mask: NDArray[np.uint8]) -> Floats:
    """The metric of each image, ``[N]``; NaN where there are no maps."""
    return np.full(len(mask), np.nan) if maps is None else metric.function(maps, mask)


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Images ``[N, H, W, C]`` of a pack as a model takes them."""
    return torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255


def choose_subset(images: int, most: int = SUBSET) -> Ints:
    """Rows of the attributed images: the same for every method, seed and variant."""
    order = numpy_stream(0, "attribution").permutation(images)
    return np.sort(order[:most]).astype(np.int64)


def score_cell(
    runs: Sequence[Path], pack: Path, method_name: str, options: dict[str, Any]
) -> tuple[Predictions, dict[str, NDArray[Any]]]:
    """Merged predictions with attribution scores, and the gallery of the first seed.

    The explained logit is the label's. Gallery: of the attributed iid images, the first of each class.

    Args:
        runs: Folders of the finished seeds.
        pack: The biased pack.
        method_name: To build the network.
        options: The method's own settings.

    Raises:
        BenchmarkError: If the pack does not hold the images that the seeds were tested on.
    """
    stored = merge([Predictions.read(run / PREDICTIONS) for run in runs])
    models = [load_model(run, method_name, options) for run in runs]
    needs = METHODS.get(method_name).needs
    subset = choose_subset(len(stored.id))
    metrics: list[Metric] = list(METRICS.working().values())
    scores: dict[tuple[str, str], Floats] = {}
    gallery: dict[str, NDArray[Any]] = {}
    for variant in stored.logits:
        columns, _ = read_columns(pack, variant)
        if not np.array_equal(columns["id"], stored.id):
            raise BenchmarkError(
                f"group {variant!r} of {pack} holds other images than the predictions of {runs[0].parent}",
                do="Run `dvc repro`: it trains again on the pack of now.",
            )
        image, mask, label = (columns[name][subset] for name in ("image", "mask", "label"))
        given = torch.from_numpy(mask)[:, None].float()
        explained = [GivenMask(model, given) if needs.mask_at_test else model for model in models]
        for explainer, suffix in EXPLAINER_SUFFIX.items():
            maps = [heatmaps(explainer, model, to_tensor(image), torch.from_numpy(label)) for model in explained]
            for metric in metrics:
                if metric.family == "attribution":
                    key = metric.name + suffix, variant
                    scores[key] = np.stack([image_scores(metric, one, mask) for one in maps]).astype(np.float32)
            if variant == "iid":
                shown = np.array([int(np.flatnonzero(label == k)[0]) for k in np.unique(label)])
                first = maps[0] if maps[0] is not None else np.full(mask.shape, np.nan)
                gallery[f"heatmap/{explainer}"] = first[shown].astype(np.float16)
                gallery |= {"image": image[shown], "mask": mask[shown], "label": label[shown]}
                gallery["id"] = stored.id[subset][shown]
                gallery["prediction"] = stored.logits[variant][0, subset[shown]].argmax(axis=-1)
                gallery["variant"] = np.full(len(shown), variant)
    return replace(stored, subset=subset, image_scores=scores), gallery


def write_gallery(path: Path, gallery: dict[str, NDArray[Any]]) -> None:
    """Writes the gallery's arrays, atomically."""
    with atomic_path(path) as fresh, fresh.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **gallery)
