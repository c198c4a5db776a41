"""What a check found: sentences by weight, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["fault", "alarm", "warning", "note"]
SHOWN = 10
"""Examples that a finding names."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: ``fault``: no honest number comes from these data; ``alarm``: the background tells the class;
            ``warning``: know it; ``note``.
        name: For programs.
        sentence: For people.
        count: How many images, pairs or units.
        examples: The first of them.
    """

    level: Level
    name: str
    sentence: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


def finding(level: Level, name: str, sentence: str, found: Sequence[object]) -> list[Finding]:
    """A finding with its examples; nothing where nothing was found."""
    return [Finding(level, name, sentence, len(found), [str(each) for each in found[:SHOWN]])] if len(found) else []


@dataclass(frozen=True)
class Counted:
    """Images and units of one class, source and split."""

    label: str
    source: str
    split: str
    images: int
    units: int
    masks: int


@dataclass(frozen=True)
class Probed:
    """How well a linear model tells the class.

    Attributes:
        sees: ``background`` or ``mask``.
        auroc: Macro AUROC on images that the model did not see, with its 95 % interval over units.
        balanced_accuracy: Mean over classes of the share that is told right; chance is 1 / classes.
    """

    sees: str
    auroc: float
    auroc_low: float
    auroc_high: float
    balanced_accuracy: float
    balanced_accuracy_low: float
    balanced_accuracy_high: float
    classes: list[str]
    images: int
    units: int
    tested_on: str


@dataclass(frozen=True)
class Report:
    """All of it."""

    folder: str
    images: int
    units: int
    counts: list[Counted]
    probes: list[Probed]
    findings: list[Finding]
    seconds: float

    def levels(self) -> set[str]:
        return {each.level for each in self.findings}

    def exit_code(self, *, strict: bool) -> int:
        """0 = clean; 1 = a fault, or, where strict, an alarm."""
        return int(bool(self.levels() & ({"fault", "alarm"} if strict else {"fault"})))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
