"""Reads a record from somebody else: bounded in size and depth, plain JSON, and then the model's fields.

Nothing in it is run, unpickled or used as a path. What cannot be read as a JSON object is :class:`Unreadable`, what is
no record of this version a :class:`BenchmarkError`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from benchmark.errors import BenchmarkError
from benchmark.submission.protocol import MOST_BYTES, MOST_PARTS, PROTOCOL, SCHEMA
from benchmark.submission.record import Record

LONGEST = 300
"""Characters of a stranger's text in an error."""

DIGITS = 20
"""Of a whole number: none of a record has more."""


class Unreadable(BenchmarkError):
    """Not a JSON object that is worth looking into."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        Unreadable: If there is no such file, it is too large, is no UTF-8 or no JSON, nests too deep, names a key
            twice, or holds NaN, an infinity or a number that no float holds.
    """
    what = f"record {shortened(path.name)}"
    if not path.is_file():
        raise Unreadable(f"{what} is missing", got=shortened(str(path)), expected="a file")
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{what} cannot be read", got=error.strerror) from error
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"{what} is too large", expected=f"at most {MOST_BYTES // 2**20} MiB")
    if (parts := sum(map(raw.count, (b",", b"[", b"{")))) > MOST_PARTS:
        expected = f"at most {MOST_PARTS}: logits are one text for each seed and variant"
        raise Unreadable(f"{what} has too many values", got=parts, expected=expected)
    try:
        found = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_distinct,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
    except RecursionError:
        raise Unreadable(f"{what} nests too deep", expected="an object as record.schema.json has it") from None
    except ValueError as error:  # of JSON, of UTF-8, and of the hooks
        raise Unreadable(
            f"{what} is not JSON", got=shortened(str(error)), expected="UTF-8 text of an object"
        ) from error
    if not isinstance(found, dict):
        raise Unreadable(f"{what} holds no object", got=type(found).__name__, expected="an object")
    return found


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} is there twice")
        found[name] = value
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    if len(text) > LONGEST or not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:DIGITS]}... is too large")
    return value


def parse_record(content: dict[str, Any]) -> Record:
    """The object as a record of this version and protocol.

    Raises:
        BenchmarkError: If it is of another version or protocol, or a field is missing, unknown or wrong.
    """
    versions = {
        "schema version": ("schema_version", SCHEMA, "Write it by the schema of this version of shortcut-bench."),
        "protocol": (
            "protocol",
            PROTOCOL,
            "Evaluate the method by the present RULES.md, or verify it with that version.",
        ),
    }
    for what, (field, ours, do) in versions.items():
        if field in content and (type(content[field]) is not int or content[field] != ours):
            raise BenchmarkError(f"{what} of the record is {Short(content[field])}", expected=f"{ours}", do=do)
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)
        place = shortened(".".join(map(str, wrong[0]["loc"])), 80)
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise BenchmarkError(
            f"field {place} of the record{more}",
            got=Short(wrong[0]["input"]),
            expected=shortened(wrong[0]["msg"]),
            do="See docs/submit.md, or benchmark/submission/record.schema.json.",
        ) from None


class Short:
    """A stranger's value, shortened where it is printed; of a list or an object only its kind, it may nest deep."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        if isinstance(self.value, list | dict):
            return f"{'a list' if isinstance(self.value, list) else 'an object'} of {len(self.value)}"
        text = self.value[:LONGEST] if isinstance(self.value, str) else self.value
        return shortened(repr(text), 80)


def shortened(text: str, most: int = LONGEST) -> str:
    """A stranger's text in one line of printable characters."""
    seen = "".join(each if each.isprintable() else "?" for each in text[: most + 1])
    return seen if len(text) <= most else f"{seen[:most]}..."
