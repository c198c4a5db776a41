"""Data sets made of image files: a converter lists :class:`Record`; everything after that is here.

Images are sorted by id. Which images there are, their splits and their masks are planned once
(:meth:`FileDataset.plan`); pixels are then decoded by rows, so no more than a block is in memory.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.api import Dataset, Index, Ints, Options, UInt8
from benchmark.data.decode import Fit, fit_image, fit_mask, picture_shape, read_picture, to_channels
from benchmark.data.downloaded import Downloaded
from benchmark.data.inside import Inside
from benchmark.data.records import Record, check_records, check_splits
from benchmark.data.splits import Split, split_units
from benchmark.data.threads import in_threads
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws

__all__ = ["FileDataset", "ImageFiles", "Plan", "Record", "Split"]

Facts = dict[str, str | int | float]


@dataclass(frozen=True)
class Plan:
    """What a data set's files come to.

    Attributes:
        classes: Names, in the order of their indices.
        records: By id: those that are in the data set.
        index: The same, as columns.
        predicted: By id: masks ``[size, size]`` that no file holds.
        facts: Counts of what was left out or made up.
    """

    classes: tuple[str, ...]
    records: Mapping[str, Record]
    index: Index
    predicted: Mapping[str, UInt8]
    facts: Facts


class ImageFiles(Dataset):
    """Image files with masks. ``read_image`` and ``read_mask`` are called by several threads.

    Attributes:
        needs_splits: Splits without which the data set is of no use; ``test`` alone for one that only tests.
    """

    needs_splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")

    class Settings(Options):
        """The data set's YAML."""

        version: int = Field(1, description="raise it when the numbers on this data set change on purpose")
        size: int = Field(ge=8, le=2048, description="pixels of the square's side")
        channels: Literal[1, 3] = Field(3, description="1: grey, 3: colour")
        fit: Fit = Field("crop", description="crop: the centre, as wide as the shorter side; stretch: squeezed")
        split: Split = Field(Split(val=0.1, test=0.2), description="shares of units, for images without a split")
        missing_masks: Literal["refuse", "drop", "predict"] = Field(
            "refuse",
            description="drop: images without a mask are left out; predict: a U-Net draws it",
        )
        unusable_masks: Literal["refuse", "drop"] = Field(
            "refuse", description="drop: images whose mask is empty or full (at the pack's size) are left out"
        )
        class_order: tuple[str, ...] = Field((), description="classes by index (default: sorted by name)")
        limit: int | None = Field(
            None,
            ge=1,
            description="at most so many images of each class in each split, drawn by id",
        )

    settings: Settings

    @abstractmethod
    def records(self, folder: Path) -> list[Record]:
        """Every image of what :meth:`fetch` left."""

    def root(self, folder: Path) -> Path:
        """The folder that the records' files are relative to."""
        return folder

    def opened(self, folder: Path, name: str) -> Path | IO[bytes]:
        """A file of the data set, or its content, for reading."""
        return folder / name

    def read_image(self, folder: Path, record: Record) -> UInt8:
        """``[H, W, 1 or 3]``, in its original size."""
        return read_picture(self.opened(folder, record.file), record.file)

    def image_shape(self, folder: Path, record: Record) -> tuple[int, int]:
        """Height and width of :meth:`read_image`, without decoding it."""
        return picture_shape(self.opened(folder, record.file), record.file)

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """``[H, W]`` in the image's original size ``shape``: brighter than half of white is foreground."""
        pixels = to_channels(read_picture(self.opened(folder, record.mask), record.mask), 1)[..., 0]
        if pixels.max() == 1:
            raise BenchmarkError(
                f"mask {record.mask}", got="values 0 and 1", expected="0 and 255", do="Multiply it by 255."
            )
        return pixels > 127

    def index(self, folder: Path) -> Index:
        return self.plan(folder).index

    def classes(self, folder: Path) -> tuple[str, ...]:
        return self.plan(folder).classes

    def facts(self, folder: Path) -> Facts:
        return {**super().facts(folder), **self.plan(folder).facts}

    def pixels(self, folder: Path, index: Index, rows: Ints) -> tuple[UInt8, UInt8]:
        plan, root = self.plan(folder), self.root(folder)
        records = [plan.records[name] for name in index.id[rows].tolist()]
        s = self.settings
        image = np.empty((len(records), s.size, s.size, s.channels), np.uint8)
        mask = np.empty((len(records), s.size, s.size), np.uint8)

        def fill(row: int) -> None:
            record = records[row]
            pixels = self.read_image(root, record)
            image[row] = fit_image(to_channels(pixels, s.channels), s.size, s.fit)
            ready = plan.predicted.get(record.id)
            mask[row] = self.fitted_mask(root, record, pixels.shape[:2]) if ready is None else ready

        in_threads(fill, range(len(records)))
        return image, mask

    def fitted_mask(self, root: Path, record: Record, shape: tuple[int, int]) -> UInt8:
        """The mask at the pack's size.

        Raises:
            BenchmarkError: If it has not the image's size.
        """
        mask = self.read_mask(root, record, shape)
        if mask.shape != shape:
            raise BenchmarkError(
                f"mask {record.mask or 'of ' + record.file} has another size than its image",
                got=mask.shape,
                expected=str(shape),
                do="Give image and mask one size.",
            )
        return fit_mask(mask, self.settings.size, self.settings.fit)

    def plan(self, folder: Path) -> Plan:
        """Which images there are, found once and kept.

        Raises:
            BenchmarkError: If the records break a rule, files are missing, or a unit is in two splits.
        """
        plans: dict[Path, Plan] = self.__dict__.setdefault("_plans", {})
        if folder not in plans:
            plans[folder] = self._plan(folder)
        return plans[folder]

    def _plan(self, folder: Path) -> Plan:
        s, root, where = self.settings, self.root(folder), type(self).__name__
        records = sorted((record.completed() for record in self.records(folder)), key=lambda record: record.id)
        check_records(records, where)
        classes = order_of(records, s.class_order, where)
        records, facts = with_masks(records, s.missing_masks, where)
        records = with_splits(records, s.split)
        if s.limit:
            records = limited(records, s.limit, s.split.seed)
        files = [name for record in records for name in (record.file, record.mask) if name]
        Inside(root).require(files, f"files of {where}", do="Fetch the data set again, or take their rows out.")
        if s.unusable_masks == "drop":
            usable = self.usable(root, records)
            facts["dropped_unusable_mask"] = len(records) - sum(usable)
            records = [record for record, good in zip(records, usable, strict=True) if good]
        predicted: Mapping[str, UInt8] = {}
        if any(not record.has_mask for record in records):
            records, predicted, told = self.predict(root, records)
            facts |= told
        check_splits(records, self.needs_splits, where)
        return Plan(classes, {r.id: r for r in records}, index_of(records, classes), predicted, facts)

    def usable(self, root: Path, records: list[Record]) -> list[bool]:
        """Whether each record's mask, if it has one, has foreground and background at the pack's size."""
        good = [True] * len(records)

        def look(row: int) -> None:
            if records[row].has_mask:
                mask = self.fitted_mask(root, records[row], self.image_shape(root, records[row]))
                good[row] = bool(mask.any() and not mask.all())

        in_threads(look, range(len(records)))
        return good

    def predict(self, root: Path, records: list[Record]) -> tuple[list[Record], Mapping[str, UInt8], Facts]:
        """Masks for the records without one, from a U-Net trained on the masks of the training split."""
        from benchmark.data.predict_masks import predict_masks

        return predict_masks(self, root, records)


class FileDataset(ImageFiles, Downloaded):
    """Image files that are downloaded: what most converters are."""

    class Settings(ImageFiles.Settings, Downloaded.Settings):
        """The data set's YAML."""

    settings: Settings


def order_of(records: list[Record], given: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The classes by index.

    Raises:
        BenchmarkError: If the given order does not name exactly the classes that there are.
    """
    found = sorted({record.label for record in records})
    if given and sorted(given) != found:
        raise BenchmarkError(f"class_order of {where}", got=list(given), expected=f"the classes {found} in some order")
    return given or tuple(found)


def with_masks(records: list[Record], missing: str, where: str) -> tuple[list[Record], Facts]:
    """The records that stay, by what is to happen to those without a mask."""
    lost = [record for record in records if not record.has_mask]
    if not lost or missing == "predict":
        return records, {}
    if missing == "refuse":
        raise BenchmarkError(
            f"{where}: {len(lost)} of {len(records)} images have no mask",
            got=lost[0].file,
            expected="a mask for every image",
            do="Draw them, or set missing_masks to drop or predict.",
        )
    return [record for record in records if record.has_mask], {"dropped_without_mask": len(lost)}


def with_splits(records: list[Record], split: Split) -> list[Record]:
    """Every record with its split; drawn ones are shared out by class and source."""
    homes = split_units(
        [record.unit for record in records],
        [(record.label, record.source) for record in records],
        [record.split for record in records],
        split,
    )
    return [record.put_into(home) for record, home in zip(records, homes, strict=True)]


def limited(records: list[Record], limit: int, seed: int) -> list[Record]:
    """At most so many of each class and split: those that come first by a number that seed and id give."""
    place = Draws(seed, np.array([record.id for record in records])).uniform("limit").tolist()
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for _, row in sorted(zip(place, range(len(records)), strict=True)):
        kind = (records[row].label, records[row].split)
        seen[kind] += 1
        if seen[kind] <= limit:
            kept.append(row)
    return [records[row] for row in sorted(kept)]


def index_of(records: list[Record], classes: tuple[str, ...]) -> Index:
    """The records as columns."""
    number = {name: place for place, name in enumerate(classes)}
    columns = {
        name: np.array([getattr(record, name) for record in records])
        for name in ("unit", "source", "split", "id", "mask_kind")
    }
    return Index(label=np.array([number[record.label] for record in records], dtype=np.int64), **columns)
