"""The pictures of a cell: one attributed iid image of each class with its heatmaps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints
from benchmark.behaviour.shown import Shown
from benchmark.files import atomic_path


def gallery_of(shown: Shown, prediction: Ints, maps: Mapping[str, Floats | None]) -> dict[str, NDArray[Any]]:
    """The first of the attributed iid images of each class.

    Args:
        shown: The attributed images.
        prediction: ``[M]`` of the seed that is shown.
        maps: Explainer to the heatmaps of the images, ``[M, H, W]``; ``None`` where they are not defined.
    """
    places = np.array([int(np.flatnonzero(shown.label == k)[0]) for k in np.unique(shown.label)])
    gallery: dict[str, NDArray[Any]] = {}
    for explainer, found in maps.items():
        defined = found if found is not None else np.full(shown.mask.shape, np.nan)
        gallery[f"heatmap/{explainer}"] = defined[places].astype(np.float16)
    return gallery | {
        "image": shown.image[places],
        "mask": shown.mask[places],
        "label": shown.label[places],
        "id": shown.id[places],
        "prediction": prediction[places],
        "variant": np.full(len(places), "iid"),
    }


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Writes a gallery, or the empty archive of a cell that was skipped, atomically."""
    with atomic_path(path) as fresh, fresh.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
