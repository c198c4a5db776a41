"""From the trained seeds of a cell to what its statistics need: merged predictions, heatmap scores, a gallery."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.api import Floats, Ints, Metric, Task, UInt8
from benchmark.backbone import import_timm
from benchmark.data.pack import read_columns
from benchmark.errors import BenchmarkError
from benchmark.files import atomic_path, read_json
from benchmark.predictions import Predictions, image_sets
from benchmark.registry import EXPLAINERS, METHODS, METRICS
from benchmark.seeding import numpy_stream
from benchmark.training.job import RECORD
from benchmark.training.seed import PREDICTIONS, WEIGHTS, make_method

JUDGE = "integrated_gradients"
"""The explainer of the headline: independent of every method's training."""

EXPLAINER_SUFFIX = {JUDGE: "", "lrp_epsilon": "_lrp"}
"""Explainer to the end of its metric columns."""

SUBSET = 100
"""How many test images are attributed, drawn once a set of images by the stream ``attribution``."""


class UnknownOperation(BenchmarkError):
    """An explainer does not know an operation of a model: there is no heatmap."""


def merge(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several seeds as one.

    Raises:
        BenchmarkError: If they are not of the same images.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.tested.keys() != first.tested.keys() or not all(
            part.tested[name].same_as(images) for name, images in first.tested.items()
        ):
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


def heatmaps(explainer: str, model: nn.Module, image: Tensor, target: Tensor) -> Floats:
    """Signed relevance summed over channels, ``[N, H, W]``, for images ``[N, C, H, W]`` in [0, 1].

    Raises:
        UnknownOperation: If the explainer does not know an operation of the model.
    """
    try:
        relevance: Floats = EXPLAINERS.get(explainer)(model, image, target).detach().sum(dim=1).cpu().numpy()
    except NotImplementedError as error:
        raise UnknownOperation(
            f"{explainer} does not know an operation of the model", got=str(error), do="Look at another method."
        ) from error
    return relevance


def heatmaps_if_defined(explainer: str, model: nn.Module, image: Tensor, target: Tensor) -> Floats | None:
    """:func:`heatmaps`, or ``None`` for a model that the explainer does not know: its scores are not defined."""
    try:
        return heatmaps(explainer, model, image, target)
    except UnknownOperation:
        return None


def image_scores(metric: Metric, maps: Floats | None, mask: NDArray[np.uint8]) -> Floats:
    """The metric of each image, ``[N]``; NaN where there are no maps."""
    return np.full(len(mask), np.nan) if maps is None else metric.function(maps, mask)


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Images ``[N, H, W, C]`` of a pack as a model takes them."""
    return torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255


def choose_subset(images: int, most: int = SUBSET) -> Ints:
    """Rows of the attributed images: the same for every method and seed, and every variant on the same images."""
    order = numpy_stream(0, "attribution").permutation(images)
    return np.sort(order[:most]).astype(np.int64)


@dataclass(frozen=True)
class Shown:
    """The attributed images of one variant, in the order of its subset: ``[M, H, W, C]``, ``[M, H, W]``, ``[M]``."""

    image: UInt8
    mask: UInt8
    label: Ints


@dataclass(frozen=True)
class Attributed:
    """What the heatmaps of one trained model come to.

    Attributes:
        scores: (metric, variant) -> ``[M]``.
        iid: Explainer -> heatmaps of the iid images ``[M, H, W]``; ``None`` where they are not defined.
    """

    scores: Mapping[tuple[str, str], Floats]
    iid: Mapping[str, Floats | None]


def attribute(run: Path, method_name: str, options: dict[str, Any], shown: Mapping[str, Shown]) -> Attributed:
    """Explains the label's logit of every image by every explainer, for the model of one finished seed."""
    model, needs = load_model(run, method_name, options), METHODS.get(method_name).needs
    metrics: list[Metric] = [metric for metric in METRICS.working().values() if metric.family == "attribution"]
    scores: dict[tuple[str, str], Floats] = {}
    iid: dict[str, Floats | None] = {}
    for variant, images in shown.items():
        given = torch.from_numpy(images.mask)[:, None].float()
        explained = GivenMask(model, given) if needs.mask_at_test else model
        for explainer, suffix in EXPLAINER_SUFFIX.items():
            maps = heatmaps_if_defined(explainer, explained, to_tensor(images.image), torch.from_numpy(images.label))
            for metric in metrics:
                scores[metric.name + suffix, variant] = image_scores(metric, maps, images.mask).astype(np.float32)
            if variant == "iid":
                iid[explainer] = maps
    return Attributed(scores, iid)


def score_cell(
    runs: Sequence[Path], pack: Path, method_name: str, options: dict[str, Any], workers: int = 1
) -> tuple[Predictions, dict[str, NDArray[Any]]]:
    """Merged predictions with attribution scores, and the gallery of the first seed.

    The explained logit is the label's. Gallery: of the attributed iid images, the first of each class.

    Args:
        runs: Folders of the finished seeds.
        pack: The biased pack.
        method_name: To build the network.
        options: The method's own settings.
        workers: Seeds that are attributed at once, each in a process that is forked from this one; the scores do not
            depend on it.

    Raises:
        BenchmarkError: If the pack does not hold the images that the seeds were tested on.
    """
    stored = merge([Predictions.read(run / PREDICTIONS) for run in runs])
    subset = {
        variant: rows
        for first, variants in image_sets(stored.tested).items()
        for rows in [choose_subset(len(stored.tested[first]))]
        for variant in variants
    }
    shown: dict[str, Shown] = {}
    for variant, tested in stored.tested.items():
        columns, _ = read_columns(pack, variant, ("id", "image", "mask", "label"))
        if not np.array_equal(columns["id"], tested.id):
            raise BenchmarkError(
                f"group {variant!r} of {pack} holds other images than the predictions of {runs[0].parent}",
                do="Run `dvc repro`: it trains again on the pack of now.",
            )
        shown[variant] = Shown(*(columns[name][subset[variant]] for name in ("image", "mask", "label")))
    work = partial(attribute, method_name=method_name, options=options, shown=shown)
    if workers > 1:
        for registry, name in ((METHODS, method_name), *((EXPLAINERS, name) for name in EXPLAINER_SUFFIX)):
            registry.get(name)  # imported once, before the fork
        import_timm()
        with multiprocessing.get_context("fork").Pool(min(workers, len(runs))) as pool:
            done = pool.map(work, runs, chunksize=1)
    else:
        done = [work(run) for run in runs]
    scores = {key: np.stack([one.scores[key] for one in done]) for key in done[0].scores}
    return replace(stored, subset=subset, image_scores=scores), gallery_of(stored, subset["iid"], shown["iid"], done[0])


def gallery_of(stored: Predictions, rows: Ints, shown: Shown, first: Attributed) -> dict[str, NDArray[Any]]:
    """One attributed iid image of each class, with the first seed's prediction and heatmaps."""
    places = np.array([int(np.flatnonzero(shown.label == k)[0]) for k in np.unique(shown.label)])
    gallery: dict[str, NDArray[Any]] = {}
    for explainer, maps in first.iid.items():
        defined = maps if maps is not None else np.full(shown.mask.shape, np.nan)
        gallery[f"heatmap/{explainer}"] = defined[places].astype(np.float16)
    return gallery | {
        "image": shown.image[places],
        "mask": shown.mask[places],
        "label": shown.label[places],
        "id": stored.tested["iid"].id[rows][places],
        "prediction": stored.logits["iid"][0, rows[places]].argmax(axis=-1),
        "variant": np.full(len(places), "iid"),
    }


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Writes a gallery, or the empty archive of a cell that was skipped, atomically."""
    with atomic_path(path) as fresh, fresh.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
