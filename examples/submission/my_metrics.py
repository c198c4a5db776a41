"""Two metrics for ``python -m benchmark rescore``: one that takes weights, and one that does not."""

from __future__ import annotations

import numpy as np


def top2(score, label, weight=None):
    """Share of the images whose class is among the two highest logits.

    Args:
        score: ``[N, K]`` logits.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts; ``None``: once.
    """
    hit = (np.argsort(-score, axis=1)[:, :2] == label[:, None]).any(1)
    weight = np.ones(len(label)) if weight is None else weight
    return weight @ hit / weight.sum(-1)


def median_margin(score, label):
    """Median over images of the label's logit minus the highest other one. No weights: images are resampled."""
    rows = np.arange(len(label))
    others = score.copy()
    others[rows, label] = -np.inf
    return np.median(score[rows, label] - others.max(1))
