"""What the pages need to know beside numbers: ``suite.json``."""

from __future__ import annotations

from typing import Any

from benchmark import __version__

TOLD_ELSEWHERE = ("runs", "curves")
"""In ``runs.csv`` and ``training.csv``."""


def describe(suite: str, seeds: list[int], facts: list[dict[str, Any]], protocol: list[str]) -> dict[str, Any]:
    """suite.json: what the pages need to know beside numbers."""
    cells = [fact for fact in facts if "skipped" not in fact]
    return {
        "suite": suite,
        "version": __version__,
        "seeds": seeds,
        "code": ", ".join(sorted({cell["code"] for cell in cells})),
        "packages": cells[0]["packages"] if cells else {},
        "protocol": protocol,
        "cells": [{name: value for name, value in cell.items() if name not in TOLD_ELSEWHERE} for cell in cells],
        "skipped": [fact for fact in facts if "skipped" in fact],
    }
