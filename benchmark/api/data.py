"""Data sets and biases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.api.base import Ints, Options, UInt8


@dataclass(frozen=True)
class Images:
    """A set of labelled images with foreground masks.

    Attributes:
        image: ``[N, H, W, C]``, 0 to 255.
        mask: ``[N, H, W]``, 1 = foreground, 0 = background.
        label: ``[N]`` class indices.
        unit: ``[N]`` the independent unit of each image (patient, else the image's id).
        source: ``[N]`` where the image comes from (hospital, collection).
        split: ``[N]`` ``train``, ``val`` or ``test``.
        id: ``[N]`` unique names.
    """

    image: UInt8
    mask: UInt8
    label: Ints
    unit: NDArray[np.str_]
    source: NDArray[np.str_]
    split: NDArray[np.str_]
    id: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: Any) -> Images:
        """The images of the given rows (indices or a boolean array)."""
        return Images(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


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
    def load(self, folder: Path) -> Images:
        """Reads what :meth:`fetch` left: images, masks, labels, units and splits."""


class Bias(ABC):
    """A seeded recipe that plants a shortcut in the background, strictly outside the mask.

    Attributes:
        source: Where the recipe is described.
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

    @abstractmethod
    def plant(self, image: UInt8, mask: UInt8, code: Ints, codes: int, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
        """Plants the mark of ``code`` in every image.

        Args:
            image: ``[N, H, W, C]``; not changed.
            mask: ``[N, H, W]``, 1 = foreground.
            code: ``[N]`` which mark each image gets, in ``[0, codes)``: in training its class.
            codes: Number of different marks.
            rng: The stream of every random choice.

        Returns:
            The images with marks, and the exact mark masks ``[N, H, W]`` (1 = pixel of the mark), which never
            meet the foreground.

        Raises:
            BenchmarkError: If an image has no background where its mark belongs.
        """
