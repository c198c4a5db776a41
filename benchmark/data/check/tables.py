"""What the table itself tells: counts, patients in two splits, sources and file formats that stand for a class."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from benchmark.api import SPLITS
from benchmark.data.check.look import Look
from benchmark.data.check.report import Counted, Finding, Level, finding
from benchmark.data.records import default_id

GIVEN_AWAY = 0.1
"""How much better than the commonest class something must tell the class to be worth a warning."""

MASK_FAULTS = {
    "other size": "have another size than their image",
    "values 0 and 1": "hold 0 and 1 instead of 0 and 255, so they would count as empty",
    "unreadable": "are missing or cannot be read",
}
MASK_WARNINGS = {
    "none": "have no mask: they can be dropped or predicted (missing_masks), and no attribution is measured on them",
    "empty": "have a mask without foreground: set unusable_masks: drop, or draw them",
    "full": "have a mask without background: set unusable_masks: drop, or draw them",
}


@dataclass(frozen=True)
class Table:
    """The columns of a table, in our words; ``unit`` and ``id`` are filled, ``split`` is empty where it is drawn."""

    file: list[str]
    label: list[str]
    source: list[str]
    split: list[str]
    unit: list[str]
    mask: list[str]
    id: list[str]

    @classmethod
    def of(cls, columns: dict[str, list[str]], words: dict[str, str]) -> Table:
        """Of what a file holds; ``words`` translates its names of splits."""
        given = columns.get("id") or [""] * len(columns["file"])
        ids = [name or default_id(file) for name, file in zip(given, columns["file"], strict=True)]
        return cls(
            file=columns["file"],
            label=columns["label"],
            source=columns["source"],
            split=[words.get(name, name) for name in columns["split"]],
            unit=[name or own for name, own in zip(columns["patient"], ids, strict=True)],
            mask=columns["mask"],
            id=ids,
        )

    def __len__(self) -> int:
        return len(self.file)


def counted(table: Table, look: Look) -> list[Counted]:
    """Images, units and good masks of each class, source and split."""
    cells: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(table.label, table.source, table.split, strict=True)):
        cells[key].append(row)
    return [
        Counted(*key, len(rows), len({table.unit[row] for row in rows}), sum(look.mask[row] == "good" for row in rows))
        for key, rows in sorted(cells.items())
    ]


def of_rows(table: Table, look: Look) -> Iterator[Finding]:
    """Files and masks that cannot be used."""
    for name in ("file", "id"):
        counts = Counter(getattr(table, name))
        twice = sorted(value for value, count in counts.items() if count > 1)
        yield from finding("fault", f"{name}_twice", f"{len(twice)} {name}s are listed more than once.", twice)
    bad = [text for text in look.error if text]
    yield from finding("fault", "unreadable_images", f"{len(bad)} images are missing or cannot be read.", bad)
    for state, told in (MASK_FAULTS | MASK_WARNINGS).items():
        rows = [table.file[row] for row, found in enumerate(look.mask) if found == state and not look.error[row]]
        level: Level = "fault" if state in MASK_FAULTS else "warning"
        yield from finding(level, f"masks_{state.replace(' ', '_')}", f"{len(rows)} images {told}.", rows)


def of_splits(table: Table) -> Iterator[Finding]:
    """Splits that leak or that nothing can be learnt from."""
    unknown = sorted({name for name in table.split if name and name not in SPLITS})
    told = f"Splits are {', '.join(SPLITS)} or empty; {len(unknown)} other names are used: translate them with --split."
    yield from finding("fault", "unknown_splits", told, unknown)
    homes: dict[str, set[str]] = defaultdict(set)
    for unit, split in zip(table.unit, table.split, strict=True):
        if split:
            homes[unit].add(split)
    torn = [f"{unit}: {', '.join(sorted(splits))}" for unit, splits in sorted(homes.items()) if len(splits) > 1]
    told = f"{len(torn)} patients are in two splits: their images leak from training into the test."
    yield from finding("fault", "patients_in_two_splits", told, torn)
    learnt = {label for label, split in zip(table.label, table.split, strict=True) if split == "train"}
    lost = sorted(set(table.label) - learnt) if learnt else []
    drawn = {label for label, split in zip(table.label, table.split, strict=True) if not split}
    lost = [name for name in lost if name not in drawn]
    yield from finding("fault", "classes_never_trained", f"{len(lost)} classes have no training images.", lost)
    rows = [name for name, split in zip(table.file, table.split, strict=True) if not split]
    yield from finding("note", "drawn", f"{len(rows)} images have no split: it will be drawn by patient.", rows)


def of_stand_ins(table: Table, look: Look) -> Iterator[Finding]:
    """What stands for the class without being it: the source, or size and colour of the files."""
    rows = [row for row in range(len(table)) if table.split[row] != "external" and not look.error[row]]
    label = [table.label[row] for row in rows]
    shapes = [tuple(look.shape[row].tolist()) for row in rows]
    for name, values, told in (
        ("source_tells_class", [table.source[row] for row in rows], "The source (hospital) alone"),
        ("format_tells_class", shapes, "The format of the files (height, width, colour) alone"),
    ):
        share, base = told_by(values, label)
        if share - base > GIVEN_AWAY:
            sentence = f"{told} tells the class of {share:.0%} of the images (guessing: {base:.0%})."
            yield Finding("warning", name, sentence, len(set(values)), examples(values, label))
    if len(set(shapes)) > 1:
        common = [f"{h} x {w}, {c} channels: {n}" for (h, w, c), n in Counter(shapes).most_common()]
        yield from finding("note", "formats", f"The images have {len(common)} formats.", common)


def told_by(values: Sequence[Hashable], label: Sequence[str]) -> tuple[float, float]:
    """Share of images whose class is the commonest among the *others* with the same value; and without any value.

    An image alone with its value is not told, so that a value an image (its exact size) tells nothing by itself.
    """
    if not label:
        return 0.0, 0.0
    joint, whole = Counter(zip(values, label, strict=True)), Counter(label)
    rivals: dict[Hashable, list[tuple[int, str]]] = defaultdict(list)
    for (value, name), count in joint.items():
        rivals[value].append((count, name))
    right = 0
    for (value, name), count in joint.items():
        others = max((n for n, other in rivals[value] if other != name), default=0)
        right += count if count - 1 > others else 0
    return right / len(label), max(whole.values()) / len(label)


def examples(values: Sequence[Hashable], label: Sequence[str]) -> list[str]:
    """Value, class and how many, the commonest first."""
    joint = Counter(zip(values, label, strict=True))
    return [f"{value}: {name} {count}" for (value, name), count in joint.most_common(10)]
