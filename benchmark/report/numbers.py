"""How a number is printed: value [low, high], a true minus, no negative zero, a reason where there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass

MINUS = "\u2212"


@dataclass(frozen=True)
class Entry:
    """What stands in one field of a printed table.

    Attributes:
        text: The number or the words.
        interval: ``[low, high]``, if any.
        value: The number in full, if it is one.
        reason: Why there is no number; then ``text`` says so.
        best: Printed in bold.
        mark: Footnote sign.
        tone: Name of a style (a verdict), if any.
    """

    text: str
    interval: str = ""
    value: float | None = None
    reason: str = ""
    best: bool = False
    mark: str = ""
    tone: str = ""


def fraction(value: float) -> str:
    """Three decimals: ``0.981``."""
    return _sign(f"{value:.3f}")


def magnitude(value: float) -> str:
    """Three significant digits, for what has no fixed range: ``0.0213``, ``12.4``, ``3.1e−06``."""
    digits = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return _sign(digits)


def probability(value: float) -> str:
    """Three decimals, never 0: ``<0.001``."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _sign(digits: str) -> str:
    if digits.startswith("-") and not digits.strip("-0."):
        digits = digits[1:]
    return digits.replace("-", MINUS)


def true_minus(text: str) -> str:
    """Words of others with their numbers as ours: a true minus, and no negative zero."""
    text = re.sub(r"(?<![\w.])-(?=0(?:\.0+)?(?![\d.]))", "", text)
    return re.sub(r"(?<![\w.])-(?=\d)", MINUS, text)


def undefined(reason: str) -> Entry:
    """A field without a number."""
    return Entry(f"not defined: {reason}", reason=reason)


def estimate(
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    reason: str,
    bounded: bool = True,
    best: bool = False,
    mark: str = "",
) -> Entry:
    """``value [low, high]``, or the reason why there is no value."""
    if value is None:
        return undefined(reason)
    form = fraction if bounded else magnitude
    interval = "[no interval]" if low is None or high is None else f"[{form(low)}, {form(high)}]"
    return Entry(form(value), interval, value, best=best, mark=mark)


def single(value: float | None, *, reason: str, bounded: bool = True) -> Entry:
    """One number that has no interval of its own, such as the score of one seed."""
    if value is None:
        return undefined(reason)
    return Entry((fraction if bounded else magnitude)(value), value=value)


def p_entry(value: float | None, reason: str) -> Entry:
    """A Holm-adjusted p."""
    return undefined(reason) if value is None else Entry(probability(value), value=value)
