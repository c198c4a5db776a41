"""The contracts: what a dataset, a bias, a method, a metric and an explainer must offer.

Read this file first. Every extension is one class or one object that fits a contract below and is named in
:mod:`benchmark.registry` or in another package's entry points.

Shapes: ``N`` images, ``B`` images of a batch, ``K`` classes, ``C`` channels, ``H`` x ``W`` pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

UInt8 = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]

VARIANTS = ("iid", "ood", "deceiving", "external")
"""What a trained model is tested on: bias as in training, no bias, another class's bias, other hospitals."""


class Options(BaseModel):
    """Base of every settings class: unknown keys are refused, values are coerced (``1e-3`` is a number)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# --- data -------------------------------------------------------------------------------------------


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
        """What the bias's YAML may hold."""

    source: str = ""

    def __init__(self, settings: Options) -> None:
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


# --- methods ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """What a method sees of one training step: nothing that it does not declare in :class:`Needs`.

    Attributes:
        image: ``[B, C, H, W]`` float32 in [0, 1].
        label: ``[B]`` int64.
        mask: ``[B, 1, H, W]`` float32 in {0, 1}, 1 = foreground; ``None`` unless ``needs.masks``.
    """

    image: Tensor
    label: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class Needs:
    """What a method sees beside images and labels; the tables print it."""

    masks: bool = False
    groups: bool = False
    external: bool = False
    mask_at_test: bool = False

    def describe(self) -> str:
        words = {
            "masks": "training masks",
            "groups": "group labels",
            "external": "external data",
            "mask_at_test": "masks at test",
        }
        return ", ".join(text for name, text in words.items() if getattr(self, name)) or "nothing"


@dataclass(frozen=True)
class Task:
    """What a model is built for: a timm name and the shapes of the data."""

    backbone: str
    classes: int
    channels: int
    height: int
    width: int


class Method(ABC):
    """How a model is trained.

    A method is stateless: all that it learns lives in the module that :meth:`build` returns.

    Attributes:
        needs: What the method sees beside images and labels.
        source: The paper, with the equation where there is one.
        trained_through: Name of the explainer whose maps the loss uses, if any: the report marks that column.
    """

    class Settings(Options):
        """The method's own settings (the ``options`` of its YAML)."""

    needs: Needs = Needs()
    source: str = ""
    trained_through: str | None = None

    def __init__(self, settings: Options) -> None:
        self.settings = settings

    def build(self, task: Task) -> nn.Module:
        """All that is trained; by default one timm classifier, images -> logits."""
        from benchmark.backbone import create_classifier

        return create_classifier(task)

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        """The training loss of a batch.

        Args:
            network: What :meth:`build` returned, perhaps wrapped (precision, data parallel).
            batch: Images, labels and the masks if declared.
            rng: A CPU generator; every random choice of the step draws from it.

        Returns:
            Scalars by name; ``"loss"`` is minimised (and, on the iid validation set, selects the epoch), the
            others are logged.
        """

    def deploy(self, network: nn.Module) -> nn.Module:
        """The module that is shipped: images ``[B, C, H, W]`` in [0, 1] -> logits ``[B, K]``."""
        return network


# --- metrics ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metric:
    """A pure function with declared meaning.

    Attributes:
        family: ``generalization`` (of predictions) or ``attribution`` (of heatmaps), ...
        function: For predictions ``(score [N, K], label [N], weight [..., N]) -> [...]``; for heatmaps
            ``(relevance [N, H, W], mask [N, H, W]) -> [N]`` with NaN where it is not defined.
        higher_is_better: Direction.
        low: Smallest possible value.
        high: Largest possible value.
        chance: What knowing nothing gives: a text, since it may depend on classes or area.
        source: Paper or definition.
    """

    name: str
    family: Literal["generalization", "attribution", "behaviour", "guard"]
    function: Callable[..., Floats]
    higher_is_better: bool
    low: float
    high: float
    chance: str
    source: str


Explainer = Callable[["nn.Module", "Tensor", "Tensor"], "Tensor"]
"""``(model, image [B, C, H, W], target [B]) -> relevance [B, C, H, W]``, signed."""


@dataclass(frozen=True)
class Score:
    """One number of one cell, seed, variant and metric: a row of ``scores.csv``."""

    dataset: str
    bias: str
    method: str
    seed: int
    variant: str
    family: str
    metric: str
    value: float
    n_units: int


SCORE_COLUMNS = tuple(field.name for field in fields(Score))
