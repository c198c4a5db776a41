"""Fills the templates: words stay words, in HTML and in Markdown, and the page may run its own script alone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Container
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.report.numbers import MINUS
from benchmark.report.tables import Row
from benchmark.report.words import explainer_words, tested_on

TEMPLATES = Path(__file__).parent / "templates"
INTERVAL = rf"\\\[([{MINUS}\d., e]+)\\\](?![(\[:])"
"""An escaped ``[low, high]`` that cannot start a link: it reads better without the backslashes."""


def markdown(text: object) -> str:
    """``text`` as words in GitHub Markdown: nothing in it becomes a link, an emphasis or a new column.

    Tags are left to the template's autoescape.
    """
    escaped = re.sub(r"[\\`*\[\]|~$#]|\b_|_\b|(?<!\w)_", r"\\\g<0>", " ".join(str(text).split()))
    return re.sub(INTERVAL, r"[\1]", escaped)


def script() -> str:
    """The script of the page, as it stands in it."""
    return (TEMPLATES / "script.js").read_text(encoding="utf-8")


def policy(text: str) -> str:
    """A content security policy: no network at all, pictures from the page itself, and no script but this one."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    allowed = f"img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def method_of(row: Row, methods: Container[str]) -> str:
    """The method that a row is about, by which the page filters; empty if it is about none."""
    names = (name.partition(" (")[0] for name in row.names)
    return next((name for name in names if name in methods), "")


def fill(name: str, context: dict[str, object]) -> str:
    """One template with its context."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = markdown
    environment.filters["explainer"] = explainer_words
    environment.filters["tested_on"] = tested_on
    environment.filters["method"] = method_of
    return environment.get_template(f"{name}.j2").render(context)
