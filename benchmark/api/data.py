"""Data sets and biases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.api.base import Ints, Options, UInt8
from benchmark.seeding import Draws

NO_CODE = -1
"""The code of an image without a mark."""

SPLITS = ("train", "val", "test", "external")
"""What images are for; ``external``: a test on other sources (hospitals) than those of training."""

Rows = TypeVar("Rows", bound="Index")


@dataclass(frozen=True, kw_only=True)
class Index:
    """What is known of images beside their pixels.

    Attributes:
        label: ``[N]`` class indices.
        unit: ``[N]`` the independent unit of each image (patient, else the image's id).
        source: ``[N]`` where the image comes from (hospital, collection).
        split: ``[N]``, of :data:`SPLITS`.
        id: ``[N]`` unique names.
        mask_kind: ``[N]`` where the foreground mask comes from, such as ``human``, ``box``, ``ink`` or ``predicted``.
    """

    label: Ints
    unit: NDArray[np.str_]
    source: NDArray[np.str_]
    split: NDArray[np.str_]
    id: NDArray[np.str_]
    mask_kind: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.label)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Name to values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def take(self: Rows, rows: Any) -> Rows:
        """The given rows (indices, a slice or a boolean array)."""
        return type(self)(**{name: values[rows] for name, values in self.columns().items()})


@dataclass(frozen=True, kw_only=True)
class Images(Index):
    """Labelled images with foreground masks.

    Attributes:
        image: ``[N, H, W, C]``, 0 to 255.
        mask: ``[N, H, W]``, 1 = foreground, 0 = background.
    """

    image: UInt8
    mask: UInt8


class Dataset(ABC):
    """Images from somewhere, turned into one pack.

    Attributes:
        source: Citation and licence of the images.
        strata: ``label`` if the split fixed the number of test images of each class, which resampling then keeps;
            empty otherwise.
    """

    class Settings(Options):
        """What the dataset's YAML may hold."""

    source: str = ""
    strata: str = ""

    def __init__(self, settings: Options) -> None:
        self.settings = settings

    @abstractmethod
    def fetch(self, folder: Path) -> None:
        """Puts the raw files into the empty ``folder`` (downloads or unpacks) and checks their hashes."""

    @abstractmethod
    def index(self, folder: Path) -> Index:
        """Which images there are in what :meth:`fetch` left, in an order that does not change."""

    @abstractmethod
    def pixels(self, folder: Path, index: Index, rows: Ints) -> tuple[UInt8, UInt8]:
        """Images ``[n, H, W, C]`` and masks ``[n, H, W]`` of some rows of the index: a pack never holds all at once."""

    def classes(self, folder: Path) -> tuple[str, ...]:
        """The names of the classes, in the order of their indices; empty if they have none."""
        return ()

    def facts(self, folder: Path) -> Mapping[str, str | int | float]:
        """What else a reader of the pack should know, such as the quality of predicted masks."""
        return {}

    def load(self, folder: Path) -> Images:
        """All images at once, for data that fit into memory."""
        index = self.index(folder)
        image, mask = self.pixels(folder, index, np.arange(len(index)))
        return Images(image=image, mask=mask, **index.columns())


@dataclass(frozen=True)
class Selection:
    """Which images of an index a subset shows, and how.

    Attributes:
        rows: ``[M]`` in ascending order; an image may come more than once.
        code: ``[M]`` the mark that each of them gets, or :data:`NO_CODE`.
        label: ``[M]`` the class that the subset says each of them has.
    """

    rows: Ints
    code: Ints
    label: Ints


class Bias:
    """A shortcut: something beside the object that tells the class. Either planted or there by nature.

    Attributes:
        source: Where it is described.
    """

    class Settings(Options):
        """What every bias's YAML may hold."""

        version: int = Field(1, description="raise it when the numbers on this bias change on purpose")
        seed: int = Field(0, description="of every random draw of the injection")
        correlation: float = Field(
            1.0,
            gt=0,
            le=1,
            description="probability that a training or validation image carries the mark of its own class, and not "
            "of one of the others; at least 1 / classes, where the bias says nothing",
        )

    source: str = ""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


class PlantedBias(Bias, ABC):
    """A seeded recipe that plants a mark in the background, strictly outside the mask."""

    class Settings(Bias.Settings):
        """The dials of every planted bias. Those that have one name their extent ``size`` and ``jitter``."""

        strength: float = Field(1.0, ge=0, le=1, description="0 leaves the image alone, 1 is the mark at its clearest")
        prevalence: float | tuple[float, ...] = Field(
            1.0, description="share of training, validation and iid images with a mark: one number, or one a class"
        )
        codes: int | None = Field(
            None,
            ge=1,
            description="number of different marks (default: one a class); with fewer, classes share marks, "
            "with more, a class has several",
        )
        label_noise: float = Field(
            0.0, ge=0, lt=1, description="share of training and validation images whose label is another class's"
        )
        counterfactuals: int = Field(
            0, ge=0, description="number of test images that are stored once under every mark, as pairs"
        )

    settings: Settings

    @abstractmethod
    def plant(self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws) -> tuple[UInt8, UInt8]:
        """Plants the mark of ``code`` in every image.

        Args:
            image: ``[N, H, W, C]``; not changed.
            mask: ``[N, H, W]``, 1 = foreground.
            code: ``[N]`` which mark each image gets, in ``[0, codes)``: in training its class.
            codes: Number of different marks.
            draws: The random numbers of each image. They depend on its id alone, so one image looks the same under two
                codes but for what the code says, and whatever other images there are.

        Returns:
            The images with marks, and the exact mark masks ``[N, H, W]`` (1 = pixel of the mark), which never
            meet the foreground. The mark mask does not depend on the strength.

        Raises:
            BenchmarkError: If an image has no background where its mark belongs. It is named ``image number N``, its
                row, which the harness turns into its id.
        """


class NaturalBias(Bias, ABC):
    """A shortcut that the images have already: nothing is planted, images are only chosen."""

    @abstractmethod
    def plan(self, index: Index, classes: int) -> Mapping[str, Selection]:
        """Which images each subset shows.

        Those are ``train``, ``val`` and ``iid``, and where such images exist ``ood``, ``deceiving`` and ``external``.
        The code of an image is the class that its source speaks for, or :data:`NO_CODE`.

        Raises:
            BenchmarkError: If the images do not allow the correlation.
        """
