"""The stored predictions of one cell: every statistic is recomputed from them, without training.

The file is a NumPy archive (``.npz``) without pickled objects, and the same content gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import VARIANTS, Floats, Ints
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import atomic_path

FORMAT = 1
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The zip format's first moment: a real one would change the bytes with every write."""

KINDS = {"U": "text", "i": "whole numbers", "f": "real numbers"}
AGAIN = "Delete the file and train the cell again."

DAMAGE = (
    *(OSError, ValueError, TypeError, AttributeError, KeyError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What the readers of zip, deflate, JSON and NumPy arrays raise on bytes that are not theirs."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What ``S`` trained models of one cell say about ``N`` test images.

    Attributes:
        seeds: ``[S]`` distinct training seeds.
        id: ``[N]`` distinct names of the images.
        unit: ``[N]`` the independent unit of each image.
        label: ``[N]`` class indices in ``[0, K)``.
        logits: Variant -> ``[S, N, K]``, finite.
        subset: ``[M]`` distinct rows of the images that were attributed.
        image_scores: (metric, variant) -> ``[S, M]``; NaN where the metric is not defined.
        heatmap_loss: ``[S]`` validation heatmap loss at the selected epoch; ``None`` for methods without one.
        attributes: Where the predictions come from.

    Raises:
        BenchmarkError: If shapes disagree, a value is out of its range or a name comes twice.
    """

    seeds: Ints
    id: NDArray[np.str_]
    unit: NDArray[np.str_]
    label: Ints
    logits: Mapping[str, Floats]
    subset: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    image_scores: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    heatmap_loss: Floats | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        def keep(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        keep("seeds", _distinct("seeds", _array("seeds", self.seeds, np.int64, (None,))))
        if not len(self.seeds):
            raise BenchmarkError("predictions hold no seed", do="Train at least one seed.")
        keep("id", _distinct("id", _array("id", self.id, np.str_, (None,))))
        images = (len(self.id),)
        keep("unit", _array("unit", self.unit, np.str_, images))
        keep("label", _array("label", self.label, np.int64, images))
        if not self.logits:
            raise BenchmarkError("predictions hold no variant", expected=f"logits of {', '.join(VARIANTS)}")
        keep("logits", {variant: self._logits(variant, z) for variant, z in self.logits.items()})
        keep("subset", _distinct("subset", _array("subset", self.subset, np.int64, (None,))))
        _inside("subset", self.subset, len(self.id))
        scores = {}
        for (metric, variant), value in self.image_scores.items():
            name = f"image_scores of {metric!r}, {variant!r}"
            if variant not in self.logits:
                raise_unknown(f"variant in {name}", variant, self.logits)
            scores[metric, variant] = _array(name, value, np.float32, (len(self.seeds), len(self.subset)))
            if np.isinf(scores[metric, variant]).any():
                raise BenchmarkError(f"{name} hold an infinity", expected="finite numbers or NaN")
        keep("image_scores", scores)
        if self.heatmap_loss is not None:
            loss = _array("heatmap_loss", self.heatmap_loss, np.float64, self.seeds.shape)
            keep("heatmap_loss", _finite("heatmap_loss", loss))
        for name, text in self.attributes.items():
            if not isinstance(name, str) or not isinstance(text, str):
                raise BenchmarkError(f"attribute {name!r}", got=text, expected="a text under a text")
        keep("attributes", dict(self.attributes))

    def _logits(self, variant: str, value: Floats) -> Floats:
        if variant not in VARIANTS:
            raise_unknown("variant", variant, VARIANTS)
        name = f"logits of {variant!r}"
        logits: Floats = _array(name, value, np.float32, (len(self.seeds), len(self.id), None))
        if logits.shape[-1] < 2:
            raise BenchmarkError(name, got=f"{logits.shape[-1]} classes", expected="at least 2")
        _inside("label", self.label, logits.shape[-1])
        return _finite(name, logits)

    def write(self, path: Path) -> None:
        """Writes the archive, atomically; the same content and the same zlib give the same bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "format": np.array(FORMAT),
            "seeds": self.seeds,
            "id": self.id,
            "unit": self.unit,
            "label": self.label,
            "subset": self.subset,
            "attributes": np.array(json.dumps(self.attributes, sort_keys=True)),
        }
        arrays |= {f"logits/{variant}": value for variant, value in self.logits.items()}
        for (metric, variant), value in self.image_scores.items():
            arrays[f"image_scores/{metric}/{variant}"] = value
        if self.heatmap_loss is not None:
            arrays["heatmap_loss"] = self.heatmap_loss
        with atomic_path(path) as fresh, zipfile.ZipFile(fresh, "w") as archive:
            for name in sorted(arrays):
                stream = io.BytesIO()
                np.lib.format.write_array(stream, np.asarray(arrays[name], order="C"), allow_pickle=False)
                member = zipfile.ZipInfo(f"{name}.npy", EPOCH)
                archive.writestr(member, stream.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=6)

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Reads what :meth:`write` wrote.

        Raises:
            BenchmarkError: If the file is missing, damaged or inconsistent.
        """
        if not Path(path).is_file():
            raise BenchmarkError("predictions file is missing", got=str(path), do="Train the cell first.")
        try:
            arrays = _members(path)
            if (version := int(arrays.pop("format"))) != FORMAT:
                raise BenchmarkError("its format", got=version, expected=f"{FORMAT}")
            logits = {key: arrays.pop(f"logits/{key}") for key in _below("logits", arrays)}
            keys = [(key.rpartition("/")[0], key.rpartition("/")[2]) for key in _below("image_scores", arrays)]
            image_scores = {key: arrays.pop("/".join(("image_scores", *key))) for key in keys}
            attributes = json.loads(str(arrays.pop("attributes")))
            return cls(logits=logits, image_scores=image_scores, attributes=attributes, **arrays)
        except BenchmarkError as error:
            raise BenchmarkError(f"predictions file {path} is inconsistent: {error}", do=AGAIN) from error
        except DAMAGE as error:
            cause = f"{type(error).__name__}: {error}"
            raise BenchmarkError(f"predictions file {path} is damaged", got=cause, do=AGAIN) from error


def _members(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        # Whole members, since only they are checked against their CRC.
        raw = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    return {name: np.lib.format.read_array(io.BytesIO(data), allow_pickle=False) for name, data in raw.items()}


def _below(folder: str, names: Mapping[str, object]) -> list[str]:
    return [name.removeprefix(f"{folder}/") for name in names if name.startswith(f"{folder}/")]


def _array(name: str, value: object, dtype: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
    array = np.asarray(value)
    if array.size == 0 and dtype != np.str_:
        array = array.astype(dtype)
    if not np.can_cast(array.dtype, dtype, "same_kind") or (dtype == np.str_) != (array.dtype.kind == "U"):
        raise BenchmarkError(name, got=f"type {array.dtype}", expected=KINDS[np.dtype(dtype).kind])
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise BenchmarkError(name, got=f"shape {list(array.shape)}", expected=f"[{wanted}]")
    return array.astype(dtype, copy=False)


def _distinct(name: str, array: NDArray[Any]) -> NDArray[Any]:
    value, count = np.unique(array, return_counts=True)
    if (count > 1).any():
        twice = value[count > 1][0].item()
        raise BenchmarkError(f"{name} holds a value twice", got=twice, expected="distinct values")
    return array


def _inside(name: str, array: Ints, end: int) -> None:
    outside = array[(array < 0) | (array >= end)]
    if outside.size:
        raise BenchmarkError(f"{name} is out of range", got=int(outside[0]), expected=f"0 to {end - 1}")


def _finite(name: str, array: Floats) -> Floats:
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        got = f"{array[tuple(where)]} at {where}"
        raise BenchmarkError(f"{name} hold a value that is not finite", got=got, expected="finite numbers")
    return array
