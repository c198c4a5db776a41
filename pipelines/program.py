"""What all stage programs share: :mod:`benchmark.program`."""

from benchmark.program import die_with_parent, parser, run

__all__ = ["die_with_parent", "parser", "run"]
