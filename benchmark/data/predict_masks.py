r"""Masks for images that have none: a small U-Net learns from the masks of the training split.

.. math:: L = \mathrm{BCE}(s, M) + 1 - \frac{2 \sum \sigma(s) M + 1}{\sum \sigma(s) + \sum M + 1}

``s`` are the network's logits, ``M`` the mask. It sees images of 64 px, each with mean 0 and variance 1, on one CPU
thread from one seed, for a fixed number of steps: the same bits on every machine of a kind, in about a minute. How good
its masks are is measured on images whose mask is known and whose unit it never saw, of the sources that need
predictions: the mean Dice coefficient, with a bootstrap interval over units, is part of the pack's facts.

Source: U-Net by Ronneberger et al. 2015 (arXiv 1505.04597); soft Dice loss by Milletari et al. 2016 (arXiv 1606.04797).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.api import Floats, Task, UInt8
from benchmark.data.decode import fit_image, to_channels
from benchmark.data.records import PREDICTED, Record
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws, derive, numpy_stream
from benchmark.stats.bootstrap import resample_counts

if TYPE_CHECKING:
    import torch

    from benchmark.data.filed import Facts, ImageFiles

SIDE = 64
BACKBONE = "test_resnet"
STEPS, BATCH, RATE = 400, 16, 1e-2
MOST = 2000
"""More images than this teach it little more."""
FEWEST = 20
"""Units with masks without which nothing is trained, or measured."""
BLOCK = 64
DRAWS = 2000


def predict_masks(
    dataset: ImageFiles, root: Path, records: list[Record]
) -> tuple[list[Record], Mapping[str, UInt8], Facts]:
    """Fills in the missing masks.

    Args:
        dataset: Reads the images.
        root: Folder of the files.
        records: With their splits.

    Returns:
        The records, those with a predicted mask being of the kind ``predicted``, without those whose prediction is
        empty or full; the predicted masks by id; and the facts: how many, how many left out, and the Dice coefficient.

    Raises:
        BenchmarkError: If too few training images have masks that are not predictions themselves.
    """
    learnt, held = divided(records, dataset.settings.split.seed)
    with one_thread():
        network = trained(dataset, root, learnt)
        dice = [overlap(guess, truth) for guess, truth in measured(dataset, root, held, network)]
        missing = [record for record in records if not record.has_mask]
        guesses = dict(zip((r.id for r in missing), predictions(dataset, root, missing, network), strict=True))
    good = {name: mask for name, mask in guesses.items() if mask.any() and not mask.all()}
    kept = [
        record if record.has_mask else replace(record, mask_kind=PREDICTED)
        for record in records
        if record.has_mask or record.id in good
    ]
    low, high = interval(np.array(dice), np.array([record.unit for record in held]))
    facts: Facts = {
        "predicted_masks": len(good),
        "predicted_masks_dropped": len(guesses) - len(good),
        "predicted_masks_dice": round(float(np.mean(dice)), 4),
        "predicted_masks_dice_low": round(low, 4),
        "predicted_masks_dice_high": round(high, 4),
        "predicted_masks_measured_on": f"{len(held)} images that the U-Net never saw",
    }
    return kept, good, facts


def divided(records: list[Record], seed: int) -> tuple[list[Record], list[Record]]:
    """Images to learn from, and to measure on: masked ones outside of training, or a fifth of the training units."""
    masked = [record for record in records if record.has_mask and record.mask_kind != PREDICTED]
    learnt = [record for record in masked if record.split == "train"]
    needing = {record.source for record in records if not record.has_mask}
    held = [record for record in masked if record.split != "train" and record.source in needing]
    units = sorted({record.unit for record in learnt})
    if len(units) < FEWEST:
        raise BenchmarkError(
            "training units with a mask, to predict the missing ones from",
            got=len(units),
            expected=f"{FEWEST} or more",
            do="Draw some, or set missing_masks to drop.",
        )
    if len({record.unit for record in held}) < FEWEST:
        place = Draws(seed, np.array(units)).uniform("held out")
        out = {units[row] for row in np.argsort(place)[: max(2, len(units) // 5)].tolist()}
        held = [record for record in learnt if record.unit in out]
        learnt = [record for record in learnt if record.unit not in out]
    return chosen(learnt, seed), chosen(held, seed)


def chosen(records: list[Record], seed: int) -> list[Record]:
    """At most :data:`MOST` of them, by their ids."""
    place = Draws(seed, np.array([record.id for record in records])).uniform("chosen")
    return [records[row] for row in sorted(np.argsort(place)[:MOST].tolist())]


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread with a random state of its own: sums in one order give the same bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)


def trained(dataset: ImageFiles, root: Path, records: list[Record]) -> torch.nn.Module:
    """The U-Net, in evaluation mode."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    from benchmark.backbone import create_unet

    s = dataset.settings
    torch.manual_seed(derive(s.split.seed, "predicted masks"))
    network = create_unet(Task(BACKBONE, 1, s.channels, SIDE, SIDE))
    images, masks = small(dataset, root, records), small_masks(dataset, root, records)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=STEPS)
    rng = numpy_stream(s.split.seed, "batches of predicted masks")
    network.train()
    for _ in range(STEPS):
        rows = rng.integers(len(records), size=BATCH)
        logits = network(tensor(images[rows]))
        target = torch.from_numpy(masks[rows]).float()[:, None]
        share = torch.sigmoid(logits)
        dice = (2 * (share * target).sum() + 1) / (share.sum() + target.sum() + 1)
        loss = binary_cross_entropy_with_logits(logits, target) + 1 - dice
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval()


def small(dataset: ImageFiles, root: Path, records: Sequence[Record]) -> UInt8:
    """Images ``[n, SIDE, SIDE, C]``."""
    s = dataset.settings
    images = [fit_image(to_channels(dataset.read_image(root, record), s.channels), SIDE, s.fit) for record in records]
    return np.stack(images)


def small_masks(dataset: ImageFiles, root: Path, records: Sequence[Record]) -> UInt8:
    """Masks ``[n, SIDE, SIDE]``, of what the pack keeps."""
    masks = [dataset.fitted_mask(root, record, dataset.image_shape(root, record)) for record in records]
    return np.stack([fit_image(255 * mask[..., None], SIDE, "stretch")[..., 0] > 127 for mask in masks]).astype(
        np.uint8
    )


def tensor(images: UInt8) -> torch.Tensor:
    """``[n, C, SIDE, SIDE]``, each image with mean 0 and variance 1, so that no hospital is brighter than another."""
    import torch

    whole = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    mean, spread = whole.mean((1, 2, 3), keepdim=True), whole.std((1, 2, 3), keepdim=True)
    return (whole - mean) / (spread + 1)


def predictions(
    dataset: ImageFiles, root: Path, records: Sequence[Record], network: torch.nn.Module
) -> Iterator[UInt8]:
    """Masks ``[size, size]``: where the probability, enlarged bilinearly, is above a half."""
    import torch
    from torch.nn.functional import interpolate

    size = dataset.settings.size
    for start in range(0, len(records), BLOCK):
        with torch.no_grad():
            logits = network(tensor(small(dataset, root, records[start : start + BLOCK])))
        large = interpolate(logits, size=(size, size), mode="bilinear", align_corners=False)
        yield from (large[:, 0] > 0).to(torch.uint8).numpy()


def measured(
    dataset: ImageFiles, root: Path, records: Sequence[Record], network: torch.nn.Module
) -> Iterator[tuple[UInt8, UInt8]]:
    """Predicted and true masks."""
    for record, guess in zip(records, predictions(dataset, root, records, network), strict=True):
        yield guess, dataset.fitted_mask(root, record, dataset.image_shape(root, record))


def overlap(guess: UInt8, truth: UInt8) -> float:
    """Dice coefficient ``2 |A and B| / (|A| + |B|)``; the truth is not empty."""
    return 2 * float((guess & truth).sum()) / (float(guess.sum()) + float(truth.sum()))


def interval(values: Floats, units: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean over units."""
    counts = resample_counts(units, DRAWS, numpy_stream(0, "interval of the Dice coefficient"))
    low, high = np.percentile(counts @ values / counts.sum(axis=1), [2.5, 97.5])
    return float(low), float(high)
