"""The figures of a suite, drawn from the tables and pictures that are committed with it.

``draw_all(folder)`` writes them with their captions. It runs in a stage: the report itself needs no plotting library.
"""

from benchmark.figures.draw import captions, draw_all

__all__ = ["captions", "draw_all"]
