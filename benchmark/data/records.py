"""One image file of a data set, as its converter tells it, and the checks that a list of them must pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmark.errors import BenchmarkError

PREDICTED = "predicted"
GIVEN = "given"
"""The kind of a mask of which nobody says how it was made."""


@dataclass(frozen=True)
class Record:
    """One image file.

    Attributes:
        file: Relative to the raw folder, with ``/`` between its parts.
        label: Name of its class.
        source: Collection or hospital.
        split: ``train``, ``val``, ``test`` or ``external``; empty = drawn by unit.
        unit: What is independent (the patient); empty = the id.
        mask: The mask's file, relative to the raw folder; empty = none, unless ``mask_kind`` says that the data set's
            own reader knows of one.
        mask_kind: ``human``, ``box``, ``grabcut``, ``trimap``, ``ink``, ``predicted``, ...; empty = ``given`` where
            there is a mask file.
        id: Unique name; empty = the file without its suffix.
        extra: What the data set's own ``read_mask`` needs, such as the corners of a box.
    """

    file: str
    label: str
    source: str
    split: str = ""
    unit: str = ""
    mask: str = ""
    mask_kind: str = ""
    id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_mask(self) -> bool:
        return bool(self.mask or self.mask_kind)

    def completed(self) -> Record:
        """With every name that follows from another."""
        name = self.id or default_id(self.file)
        kind = self.mask_kind or (GIVEN if self.mask else "")
        # not dataclasses.replace: a million of these take seconds there
        return Record(
            self.file, self.label, self.source, self.split, self.unit or name, self.mask, kind, name, self.extra
        )

    def put_into(self, split: str) -> Record:
        """With another split."""
        if split == self.split:
            return self
        return Record(
            self.file, self.label, self.source, split, self.unit, self.mask, self.mask_kind, self.id, self.extra
        )


def default_id(file: str) -> str:
    """The file without its suffix."""
    stem, dot, suffix = file.rpartition(".")
    return stem if dot and stem and not stem.endswith("/") and "/" not in suffix else file


def check_records(records: Sequence[Record], where: str) -> None:
    """Refuses records that do not make a data set.

    Raises:
        BenchmarkError: If there is none; a file, label or source is empty; or a file or an id comes twice.
    """
    if not records:
        raise BenchmarkError(f"{where} lists no images", do="Check its files and settings.")
    for record in records:
        for name in ("file", "label", "source"):
            if not getattr(record, name).strip():
                raise BenchmarkError(
                    f"{name} of {record.file or record.id or 'a record'!r} in {where}", got="", expected="some text"
                )
    for name in ("file", "id"):
        counts = Counter(getattr(record, name) for record in records)
        if twice := [value for value, count in counts.items() if count > 1]:
            raise BenchmarkError(
                f"{name} in {where}",
                got=f"{sorted(twice)[0]} comes {counts[sorted(twice)[0]]} times; {len(twice)} such",
                expected="each once",
                do="Name ids in a column of their own." if name == "id" else "Take the doubles out.",
            )


def check_splits(records: Sequence[Record], needed: Sequence[str], where: str) -> None:
    """Refuses splits that nothing could be learnt from or tested on.

    Raises:
        BenchmarkError: If a needed split has no images, or another split a class that training has not.
    """
    found = Counter(record.split for record in records)
    if lost := [name for name in needed if not found[name]]:
        raise BenchmarkError(
            f"{where} has no images for {lost[0]}",
            got=dict(sorted(found.items())),
            expected=f"images for {', '.join(needed)}",
            do="See its splits, the shares in its settings, and what was left out.",
        )
    learnt = {record.label for record in records if record.split == "train"}
    for record in records:
        if learnt and record.label not in learnt:
            raise BenchmarkError(
                f"class {record.label!r} of {where} is not among the training images",
                got=f"{record.file} for {record.split}",
                expected=f"one of {', '.join(sorted(learnt))}",
                do="Give the class training images, or take it out.",
            )
