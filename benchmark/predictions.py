"""The stored predictions of one cell: every statistic is recomputed from them, without training.

The file is a NumPy archive (``.npz``) without pickled objects, and the same content gives the same bytes. Variants that
show the same images share one group of it: ``tested/iid+ood+deceiving/label.npy``.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import VARIANTS, Floats, Ints
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import atomic_path

FORMAT = 2
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The zip format's first moment: a real one would change the bytes with every write."""

BOMB, MOST_GAIN = 2**28, 200
"""Bytes beyond which, and how many times its size, no such file unpacks to: logits shrink by less than 10."""

KINDS = {"U": "text", "i": "whole numbers", "f": "real numbers"}
AGAIN = "Delete the file and train the cell again."

DAMAGE = (
    *(OSError, ValueError, TypeError, AttributeError, KeyError, EOFError, RuntimeError),
    *(MemoryError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What the readers of zip, deflate, JSON and NumPy arrays raise on bytes that are not theirs."""


@dataclass(frozen=True, eq=False)
class Tested:
    """The ``N`` images that a variant shows.

    Attributes:
        id: ``[N]`` distinct names.
        unit: ``[N]`` the independent unit of each image.
        source: ``[N]`` where each image comes from (hospital, collection).
        label: ``[N]`` class indices, from 0.

    Raises:
        BenchmarkError: If a column has another type or length, an id comes twice or a label is negative.
    """

    id: NDArray[np.str_]
    unit: NDArray[np.str_]
    source: NDArray[np.str_]
    label: Ints

    def __post_init__(self) -> None:
        _keep(self, id=_distinct("id", _array("id", self.id, np.str_, (None,))))
        for name, dtype in (("unit", np.str_), ("source", np.str_), ("label", np.int64)):
            _keep(self, **{name: _array(name, getattr(self, name), dtype, self.id.shape)})
        if (self.label < 0).any():
            raise BenchmarkError("label is out of range", got=int(self.label.min()), expected="0 or more")

    def __len__(self) -> int:
        return len(self.id)

    def same_as(self, other: Tested) -> bool:
        """Whether these are the same images in the same order, alike in every column."""
        return self is other or all(np.array_equal(getattr(self, name), getattr(other, name)) for name in COLUMNS)


COLUMNS = tuple(column.name for column in fields(Tested))


def image_sets(tested: Mapping[str, Tested]) -> dict[str, tuple[str, ...]]:
    """The variants that show the same images, under the first of them, in the order of the variants."""
    sets: dict[str, tuple[str, ...]] = {}
    for variant in (name for name in VARIANTS if name in tested):
        first = next((name for name in sets if tested[name].same_as(tested[variant])), variant)
        sets[first] = (*sets.get(first, ()), variant)
    return sets


@dataclass(frozen=True, eq=False)
class Predictions:
    """What ``S`` trained models of one cell say about the test images of every variant.

    Attributes:
        seeds: ``[S]`` distinct training seeds.
        tested: Variant -> its ``N`` images; two variants may show the same.
        logits: Variant -> ``[S, N, K]``, finite; the variants of ``tested``.
        subset: Variant -> ``[M]`` distinct rows of the images that were attributed, the same where the images are the
            same; none for a variant that is left out.
        image_scores: (metric, variant) -> ``[S, M]``; NaN where the metric is not defined.
        heatmap_loss: ``[S]`` validation heatmap loss at the selected epoch; ``None`` for methods without one.
        attributes: Where the predictions come from.

    Raises:
        BenchmarkError: If shapes disagree, a value is out of its range or a name comes twice.
    """

    seeds: Ints
    tested: Mapping[str, Tested]
    logits: Mapping[str, Floats]
    subset: Mapping[str, Ints] = field(default_factory=dict)
    image_scores: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    heatmap_loss: Floats | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _keep(self, seeds=_distinct("seeds", _array("seeds", self.seeds, np.int64, (None,))))
        if not len(self.seeds):
            raise BenchmarkError("predictions hold no seed", do="Train at least one seed.")
        if not self.tested:
            raise BenchmarkError("predictions hold no variant", expected=f"images of {', '.join(VARIANTS)}")
        for variant in self.tested:
            if variant not in VARIANTS:
                raise_unknown("variant", variant, VARIANTS)
        for name in ("logits", "subset"):
            for variant in getattr(self, name):
                self._require(variant, name)
        if lacking := [variant for variant in self.tested if variant not in self.logits]:
            raise BenchmarkError(f"logits of {lacking[0]!r} are missing", got=sorted(self.logits))
        _keep(self, tested={variant: self.tested[variant] for variant in VARIANTS if variant in self.tested})
        _keep(self, logits={variant: self._logits(variant) for variant in self.tested})
        _keep(self, subset={variant: self._subset(variant) for variant in self.tested})
        for first, variants in image_sets(self.tested).items():
            for variant in variants:
                if not np.array_equal(self.subset[variant], self.subset[first]):
                    raise BenchmarkError(
                        f"subset of {variant!r} differs from that of {first!r}",
                        expected="the same: they show the same images",
                    )
        _keep(self, image_scores={key: self._scores(*key) for key in self.image_scores})
        if self.heatmap_loss is not None:
            loss = _array("heatmap_loss", self.heatmap_loss, np.float64, self.seeds.shape)
            _keep(self, heatmap_loss=_finite("heatmap_loss", loss))
        for name, text in self.attributes.items():
            if not isinstance(name, str) or not isinstance(text, str):
                raise BenchmarkError(f"attribute {name!r}", got=text, expected="a text under a text")
        _keep(self, attributes=dict(self.attributes))

    def _require(self, variant: str, name: str) -> None:
        if variant not in self.tested:
            raise_unknown(f"variant in {name}", variant, self.tested)

    def _logits(self, variant: str) -> Floats:
        name, images = f"logits of {variant!r}", self.tested[variant]
        logits: Floats = _array(name, self.logits[variant], np.float32, (len(self.seeds), len(images), None))
        if logits.shape[-1] < 2:
            raise BenchmarkError(name, got=f"{logits.shape[-1]} classes", expected="at least 2")
        _inside(f"label of {variant!r}", images.label, logits.shape[-1])
        return _finite(name, logits)

    def _subset(self, variant: str) -> Ints:
        name = f"subset of {variant!r}"
        rows: Ints = _distinct(name, _array(name, self.subset.get(variant, []), np.int64, (None,)))
        _inside(name, rows, len(self.tested[variant]))
        return rows

    def _scores(self, metric: str, variant: str) -> Floats:
        name = f"image_scores of {metric!r}, {variant!r}"
        self._require(variant, name)
        shape = (len(self.seeds), len(self.subset[variant]))
        scores: Floats = _array(name, self.image_scores[metric, variant], np.float32, shape)
        if np.isinf(scores).any():
            raise BenchmarkError(f"{name} hold an infinity", expected="finite numbers or NaN")
        return scores

    def write(self, path: Path) -> None:
        """Writes the archive, atomically; the same content and the same zlib give the same bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "format": np.array(FORMAT),
            "seeds": self.seeds,
            "attributes": np.array(json.dumps(self.attributes, sort_keys=True)),
        }
        for first, variants in image_sets(self.tested).items():
            folder = f"tested/{'+'.join(variants)}"
            arrays |= {f"{folder}/{name}": getattr(self.tested[first], name) for name in COLUMNS}
            arrays[f"{folder}/subset"] = self.subset[first]
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
            BenchmarkError: If the file is missing, damaged, inconsistent or of another format.
        """
        if not Path(path).is_file():
            raise BenchmarkError("predictions file is missing", got=str(path), do="Train the cell first.")
        try:
            arrays = _members(path)
            if (version := int(arrays.pop("format"))) != FORMAT:
                raise BenchmarkError("its format", got=version, expected=f"{FORMAT}, with the images of each variant")
            parts = {name: _folder(name, arrays) for name in ("tested", "logits", "image_scores")}
            scores = {(key.rpartition("/")[0], key.rpartition("/")[2]): v for key, v in parts["image_scores"].items()}
            attributes = json.loads(str(arrays.pop("attributes")))
            arrays |= _shown(parts["tested"])
            return cls(logits=parts["logits"], image_scores=scores, attributes=attributes, **arrays)
        except BenchmarkError as error:
            raise BenchmarkError(f"predictions file {path} is inconsistent: {error}", do=AGAIN) from error
        except DAMAGE as error:
            cause = f"{type(error).__name__}: {error}"
            raise BenchmarkError(f"predictions file {path} is damaged", got=cause, do=AGAIN) from error


def _shown(members: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """``tested`` and ``subset`` by variant, from members such as ``iid+ood/label``."""
    tested: dict[str, Any] = {}
    subset: dict[str, Any] = {}
    for folder in dict.fromkeys(name.partition("/")[0] for name in members):
        columns = _folder(folder, dict(members))
        rows = columns.pop("subset")
        images = Tested(**columns)
        for variant in folder.split("+"):
            if variant in tested:
                raise BenchmarkError(f"images of {variant!r} are there twice", expected="one set a variant")
            tested[variant], subset[variant] = images, rows
    return {"tested": tested, "subset": subset}


def _members(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > max(BOMB, MOST_GAIN * Path(path).stat().st_size):
            raise ValueError(f"{size} bytes in a file that is too small for them")
        # Whole members, since only they are checked against their CRC.
        raw = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    return {name: np.lib.format.read_array(io.BytesIO(data), allow_pickle=False) for name, data in raw.items()}


def _folder(folder: str, members: dict[str, Any]) -> dict[str, Any]:
    """Takes out the members below a folder."""
    below = [name for name in members if name.startswith(f"{folder}/")]
    return {name.removeprefix(f"{folder}/"): members.pop(name) for name in below}


def _keep(owner: object, **values: object) -> None:
    """Sets fields of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(owner, name, value)


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
