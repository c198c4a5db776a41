"""Tiny images and tiny trainings on them."""

from pathlib import Path
from typing import Any

import numpy as np
from made_images import made_index, thirds

from benchmark.api import Images
from benchmark.cell import Cell
from benchmark.config import Training, parse
from benchmark.data.masks import ink_mask
from benchmark.files import sha256_file
from benchmark.training.job import Job

TRAINING = {
    "backbone": "test_resnet",
    "epochs": 3,
    "batch_size": 16,
    "optimizer": {"name": "adamw", "lr": 5e-3},
    "clip_norm": 1.0,
}


def strokes(count: int, classes: int = 3) -> Images:
    """Images 28 x 28 with one bright bar whose direction is the class."""
    rng = np.random.default_rng(0)
    label = np.arange(count) % classes
    image = np.zeros((count, 28, 28, 1), np.uint8)
    for row, k in enumerate(label):
        top, left = rng.integers(7, 12, size=2)
        for step in range(10):
            y, x = [(0, step), (step, 0), (step, step)][k]
            image[row, top + y, left + x] = 255
    return Images(image=image, mask=ink_mask(image, 0.1, 1), **made_index(label, thirds(count)).columns())


def make_job(pack: Path, folder: Path, method: str = "erm", seed: int = 0, options: Any = None, **training: Any) -> Job:
    settings = parse(Training, {**TRAINING, **training}, "test")
    cell = Cell("strokes", "corner", method)
    return Job(cell, method, seed, pack, sha256_file(pack), settings, options or {}, folder)
