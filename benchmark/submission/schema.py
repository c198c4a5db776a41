"""Writes record.schema.json from the model: ``python -m benchmark.submission.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from benchmark.files import write_text
from benchmark.submission.record import json_schema

FILE = Path(__file__).with_name("record.schema.json")


def text() -> str:
    """The file's content; fields in the order in which a record holds them."""
    return json.dumps(json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    write_text(FILE, text())
    print(FILE.name)
