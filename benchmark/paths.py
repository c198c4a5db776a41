"""Where everything lies in a project, relative to its root, which is the working directory of every program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchmark.api import Options
from benchmark.cell import Cell, check_name
from benchmark.config import Suite, load

CONFIGS = Path("pipelines/configs")
DATA = Path("data")
RUNS = Path("runs")
RESULTS = Path("results")
REFERENCE = RESULTS / "reference"
DATA_ROOT = "SHORTCUT_BENCH_DATA"
"""The environment variable that names the folder of a user's own images."""


class DataRoot(Options):
    """pipelines/configs/data_root.yaml, which may be missing."""

    data_root: Path = Path("../shared/data")


def data_root() -> Path:
    """Where images lie that are not downloaded, such as a manifest's; a relative path counts from the project's root.

    The environment variable ``SHORTCUT_BENCH_DATA`` comes first, then the settings file, then its default.
    """
    if named := os.environ.get(DATA_ROOT):
        return Path(named)
    settings = CONFIGS / "data_root.yaml"
    return (load(DataRoot, settings) if settings.is_file() else DataRoot()).data_root


def dataset_yaml(name: str) -> Path:
    """Settings of a data set."""
    return CONFIGS / "datasets" / f"{check_name('dataset', name)}.yaml"


def bias_yaml(name: str) -> Path:
    """Settings of a bias."""
    return CONFIGS / "biases" / f"{check_name('bias', name)}.yaml"


def search_yaml(method: str) -> Path:
    """Which settings of a method are tuned, and within which ranges."""
    return CONFIGS / "search" / f"{check_name('method', method)}.yaml"


def raw(dataset: str) -> Path:
    """Folder of the raw files of a data set."""
    return DATA / "raw" / check_name("dataset", dataset)


def dataset_code(name: str) -> Path:
    """Hash of the code that decides a data set's pack."""
    return RUNS / "code" / "datasets" / f"{check_name('dataset', name)}.json"


def pack(dataset: str) -> Path:
    """The pack of a data set."""
    return DATA / "packs" / f"{check_name('dataset', dataset)}.h5"


def biased(task: str) -> Path:
    """Folder of the biased pack and its manifest."""
    return DATA / "biased" / task


def biased_pack(task: str) -> Path:
    """The pack of a task: with the bias planted, in subsets."""
    return biased(task) / "pack.h5"


@dataclass(frozen=True)
class SuitePaths:
    """The files of one suite."""

    name: str = "default"

    @property
    def params(self) -> Path:
        """The default suite's params lie at the root, another's in its folder."""
        return Path("params.yaml") if self.name == "default" else Path("pipelines") / self.name / "params.yaml"

    @property
    def pipeline(self) -> Path:
        """The suite's stages."""
        return self.params.with_name("dvc.yaml")

    @property
    def claims_yaml(self) -> Path:
        return Path("pipelines") / self.name / "claims.yaml"

    @property
    def scoring_yaml(self) -> Path:
        """What is computed of every trained model: a suite's own file comes before the shared one."""
        own = Path("pipelines") / self.name / "scoring.yaml"
        return own if own.is_file() else CONFIGS / "scoring.yaml"

    @property
    def results(self) -> Path:
        return RESULTS / self.name

    def method_yaml(self, name: str) -> Path:
        """A suite's own settings of a method (more epochs, another optimizer) come before the shared ones."""
        file = Path("methods") / f"{check_name('method', name)}.yaml"
        own = Path("pipelines") / self.name / file
        return own if own.is_file() else CONFIGS / file

    def suite(self) -> Suite:
        return load(Suite, self.params)

    def run(self, cell: Cell) -> Path:
        return RUNS / self.name / cell.key

    def code(self, method: str) -> Path:
        """Hash of the code of one configuration of a method."""
        return RUNS / "code" / self.name / f"{check_name('method', method)}.json"

    @property
    def scoring_code(self) -> Path:
        """Hash of the code that decides scores."""
        return RUNS / "code" / "scoring" / f"{self.name}.json"

    def work(self, cell: Cell) -> Path:
        """Unfinished trainings: outside of DVC's outputs, which DVC deletes before a stage."""
        return RUNS / ".work" / self.name / cell.key

    def tuning(self, cell: Cell) -> Path:
        """The log of a method's trials."""
        folder = RESULTS / "tune" if self.name == "default" else RESULTS / "tune" / self.name
        return folder / cell.task / f"{cell.method}.csv"

    def tuning_work(self, cell: Cell) -> Path:
        """The trials of a method, finished and unfinished."""
        return RUNS / ".work" / "tune" / self.name / cell.key

    def predictions(self, cell: Cell) -> Path:
        return self.results / "predictions" / f"{cell.key}.npz"

    def gallery(self, cell: Cell) -> Path:
        return self.results / "gallery" / f"{cell.key}.npz"

    def facts(self, cell: Cell) -> Path:
        return self.results / "cells" / f"{cell.key}.json"

    def made(self, cell: Cell) -> Path:
        """When, where and of which commit each seed was trained."""
        return self.results / "made" / f"{cell.key}.json"

    def sample_sheet(self, task: str) -> Path:
        return self.results / "samples" / f"{task}.png"
