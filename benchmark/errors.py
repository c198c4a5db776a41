"""The one error that bad input raises: what, the value that came, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn

LONGEST = 1000
"""Letters of a value that came, or of its name, that a sentence shows."""

CONTROL = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}
"""Characters that could move a terminal's cursor or change its colours, and how they are shown."""


class BenchmarkError(ValueError):
    """Bad input, told in one sentence.

    Args:
        what: The thing that is wrong, with its name (``"mask of image 'digit_00017'"``).
        got: The value that came; left out of the sentence when ``None``.
        expected: What would have been right.
        do: What the reader can do about it.
    """

    def __init__(self, what: str, *, got: object = None, expected: str | None = None, do: str | None = None) -> None:
        parts = [shortened(what)]
        if got is not None:
            parts.append(f"got {shortened(repr(got))}")
        if expected:
            parts.append(f"expected {expected}")
        sentence = "; ".join(parts)
        super().__init__((f"{sentence}. {do}" if do else f"{sentence}.").translate(CONTROL))
        self.what, self.got, self.expected, self.do = what, got, expected, do

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the four parts, so that a worker process can hand the error on."""
        return _rebuild, (type(self), self.what, self.got, self.expected, self.do)


def shortened(text: str) -> str:
    """The text without the middle of what nobody could read."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


def _rebuild(cls: type[BenchmarkError], what: str, got: object, expected: str | None, do: str | None) -> BenchmarkError:
    return cls(what, got=got, expected=expected, do=do)


def raise_unknown(kind: str, name: object, known: Iterable[str], do: str | None = None) -> NoReturn:
    """Raises the error for a name that is in no table, with the closest names that are.

    Raises:
        BenchmarkError: Always.
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise BenchmarkError(
        f"unknown {kind}",
        got=name,
        expected=f"{hint}one of {', '.join(names) or '(none registered)'}",
        do=do,
    )
