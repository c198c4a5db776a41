"""The shortcut alarm: how well does a linear model tell the class from the background alone?

Each image is 32 x 32 cells. Where the (widened) foreground lies, a cell gets the mean that this cell has in the
training images that show it, so after standardising it is 0: the model is not told what the object hides. What it can
still guess from the place of the zeros is the object's outline; the same model on the outline alone is the control.
Where both tell the class equally well, the background may be innocent.

The model is logistic regression with balanced classes and C = 1 / D for D features: with weights drawn from its prior,
the logit of a standardised image has variance 1. So nothing is tuned, and the test images are seen once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints
from benchmark.data.check.look import Look
from benchmark.data.check.report import Probed
from benchmark.metrics.ranking import macro_auroc
from benchmark.seeding import Draws, numpy_stream
from benchmark.stats.bootstrap import resample_counts

FOLDS = 5
DRAWS = 2000
FEWEST = 10
"""Units of each class without which nothing can be said."""
MOST = 6000
"""Images that the model sees; more cost minutes and move nothing."""
SEEN = 0.05
"""Least share of training images that show a cell, for the cell to count."""
CONSTANT = 1e-6
IMPOSSIBLE = -50.0
"""The least log probability: a score must be finite."""


@dataclass(frozen=True)
class Told:
    """Scores ``[n, K]`` of images that the model did not see, and their classes ``[n]``."""

    rows: Ints
    score: Floats
    label: Ints
    how: str


def probe(
    look: Look, label: Sequence[str], unit: Sequence[str], split: Sequence[str], sees: str, seed: int = 0
) -> Probed | None:
    """Trains and tests the linear model.

    Args:
        look: The files.
        label: ``[N]`` classes.
        unit: ``[N]`` patients.
        split: ``[N]``: where there are ``train`` and ``test``, these are used, else five folds of units, always
            without ``external`` images.
        sees: ``background`` or ``mask``.
        seed: Of folds and resampling.

    Returns:
        Nothing, if there are too few images with masks.
    """
    rows, names = usable(look, label, unit, split, seed)
    if len(names) < 2:
        return None
    number = {name: place for place, name in enumerate(names)}
    y = np.array([number[label[row]] for row in rows.tolist()], dtype=np.int64)
    units = np.array([unit[row] for row in rows.tolist()])
    where = np.array([split[row] for row in rows.tolist()])
    x, hidden = features(look, rows, sees)
    told = of_split(x, hidden, y, units, where, len(names)) or of_folds(x, hidden, y, units, len(names), seed)
    return summary(told, units[told.rows], names, sees)


def usable(
    look: Look, label: Sequence[str], unit: Sequence[str], split: Sequence[str], seed: int
) -> tuple[Ints, list[str]]:
    """Rows with a good mask that are not external, of classes with enough units; and these classes."""
    rows = [row for row, state in enumerate(look.mask) if state == "good" and split[row] != "external"]
    units = {name: {unit[row] for row in rows if label[row] == name} for name in sorted({label[row] for row in rows})}
    names = [name for name, members in units.items() if len(members) >= FEWEST]
    kept = np.array([row for row in rows if label[row] in names], dtype=np.int64)
    if len(kept) > MOST:
        place = Draws(seed, np.array([f"{row}" for row in kept.tolist()])).uniform("probe")
        kept = np.sort(kept[np.argsort(place)[:MOST]])
    return kept, names


def features(look: Look, rows: Ints, sees: str) -> tuple[Floats, NDArray[np.bool_]]:
    """What the model sees ``[n, D]``, and which of it is hidden."""
    if sees == "mask":
        x = look.covered[rows].reshape(len(rows), -1).astype(np.float32)
        return x, np.zeros(x.shape, bool)
    cells, hidden = look.cells[rows], look.hidden[rows]
    if np.array_equal(cells[..., 0], cells[..., 1]) and np.array_equal(cells[..., 0], cells[..., 2]):
        cells = cells[..., :1]
    x = cells.reshape(len(rows), -1).astype(np.float32)
    return x, np.repeat(hidden[..., None], cells.shape[-1], axis=-1).reshape(x.shape)


def scores(x: Floats, hidden: NDArray[np.bool_], y: Ints, train: Ints, test: Ints, classes: int) -> Floats:
    """Class scores of the test rows: standardised by what the training rows show, hidden cells 0."""
    from sklearn.linear_model import LogisticRegression

    found = np.full((len(test), classes), IMPOSSIBLE)
    shown = ~hidden[train]
    count = shown.sum(axis=0)
    mean = (x[train] * shown).sum(axis=0) / np.maximum(count, 1)
    spread = np.sqrt(((x[train] - mean) ** 2 * shown).sum(axis=0) / np.maximum(count, 1))
    used = (count >= max(2, SEEN * len(train))) & (spread > CONSTANT)
    if not used.any() or len(np.unique(y[train])) < 2:
        return found
    ready = np.where(hidden[:, used], 0, (x[:, used] - mean[used]) / spread[used])
    model = LogisticRegression(C=1 / ready.shape[1], class_weight="balanced", max_iter=1000)
    model.fit(ready[train], y[train])
    found[:, model.classes_] = np.maximum(model.predict_log_proba(ready[test]), IMPOSSIBLE)
    return found


def of_split(
    x: Floats, hidden: NDArray[np.bool_], y: Ints, units: NDArray[np.str_], where: NDArray[np.str_], classes: int
) -> Told | None:
    """Trained on ``train``, tested on ``test``, where both have enough units of each class."""
    train, test = np.flatnonzero(where == "train"), np.flatnonzero(where == "test")
    test = test[~np.isin(units[test], units[train])]
    for rows in (train, test):
        if any(len(set(units[rows][y[rows] == k].tolist())) < FEWEST for k in range(classes)):
            return None
    return Told(test, scores(x, hidden, y, train, test, classes), y[test], "the test split")


def of_folds(x: Floats, hidden: NDArray[np.bool_], y: Ints, units: NDArray[np.str_], classes: int, seed: int) -> Told:
    """Tested on each of five folds of units, trained on the others."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    score = np.zeros((len(y), classes))
    for train, test in folds.split(x, y, units):
        score[test] = scores(x, hidden, y, train, test, classes)
    return Told(np.arange(len(y)), score, y, f"{FOLDS} folds of units")


def summary(told: Told, units: NDArray[np.str_], names: Sequence[str], sees: str) -> Probed:
    """Point values, and percentile intervals over resampled units."""
    counts = resample_counts(units, DRAWS, numpy_stream(0, "probe"))
    right = told.score.argmax(axis=1) == told.label

    def balanced(weight: Floats) -> Floats:
        shares = []
        for k in range(len(names)):
            of_class = told.label == k
            total = weight @ of_class.astype(float)
            with np.errstate(invalid="ignore"):
                shares.append(weight @ (of_class & right).astype(float) / total)
        return np.asarray(np.nanmean(np.array(shares), axis=0))

    once = np.ones((1, len(units)))
    members = len(np.unique(units))
    auroc = bounds(float(macro_auroc(told.score, told.label)), macro_auroc(told.score, told.label, counts), members)
    accuracy = bounds(float(balanced(once)[0]), balanced(counts), members)
    return Probed(sees, *auroc, *accuracy, list(names), len(units), members, told.how)


def bounds(value: float, draws: Floats, units: int) -> tuple[float, float, float]:
    """Value and 95 % percentile interval; where all draws are 1, Wilson's lower bound ``n / (n + 1.96²)``."""
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    if low == high == 1:
        low = units / (units + 1.96**2)
    return value, float(low), float(high)
