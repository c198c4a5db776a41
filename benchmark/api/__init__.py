"""The contracts: what a dataset, a bias, a method, a metric and an explainer must offer.

Read this package first. Every extension is one class or one object that fits a contract here and is named in
:mod:`benchmark.registry` or in another package's entry points.

Shapes: ``N`` images, ``B`` images of a batch, ``K`` classes, ``C`` channels, ``H`` x ``W`` pixels.
"""

from benchmark.api.base import VARIANTS, Floats, Ints, Options, UInt8
from benchmark.api.data import (
    NO_CODE,
    SPLITS,
    Bias,
    Dataset,
    Images,
    Index,
    NaturalBias,
    PlantedBias,
    Selection,
)
from benchmark.api.method import Batch, Data, Examples, Method, Needs, Phase, Task
from benchmark.api.score import SCORE_COLUMNS, Explainer, Metric, Score

__all__ = [
    "NO_CODE",
    "SCORE_COLUMNS",
    "SPLITS",
    "VARIANTS",
    "Batch",
    "Bias",
    "Data",
    "Dataset",
    "Examples",
    "Explainer",
    "Floats",
    "Images",
    "Index",
    "Ints",
    "Method",
    "Metric",
    "NaturalBias",
    "Needs",
    "Options",
    "Phase",
    "PlantedBias",
    "Score",
    "Selection",
    "Task",
    "UInt8",
]
