"""The numbers that a record must agree with: of the protocol, of its own layout, and how large it may be."""

from __future__ import annotations

PROTOCOL = 5
"""The number in the first line of RULES.md (a test compares them): under another one, scores mean something else."""

SCHEMA = 1
"""The layout of a record; a change of the fields is another number."""

DRAWS = 2000
"""Bootstrap draws of every interval that a suite prints (rule 20)."""

MOST_BYTES = 64 * 2**20
"""Of a record: 10 seeds of 4 variants with 10,000 images and 14 classes need 30 MB."""

MOST_PARTS = 200_000
"""Values of a record, counted before it is parsed: predictions are one text a seed and variant, so few are needed."""

MOST_SEEDS = 100
