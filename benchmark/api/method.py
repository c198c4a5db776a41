"""How a model is trained: the contract of every method, and what the harness hands it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from benchmark.api.base import Options
from benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """What a method sees of one training step: nothing that it does not declare in :class:`Needs`.

    A method that needs masks takes :attr:`masks`, not ``mask``: it then stops with a reason where none are there.

    Attributes:
        image: ``[B, C, H, W]`` float32 in [0, 1].
        label: ``[B]`` int64.
        mask: ``[B, 1, H, W]`` float32 in {0, 1}, 1 = foreground; ``None`` unless ``needs.masks``.
        code: ``[B]`` int64, the class whose mark the image carries, -1 without a mark; ``None`` unless
            ``needs.groups``. A group is a pair of label and code.
        row: ``[B]`` int64, which image of its set this is, for a method that keeps a number an image.
    """

    image: Tensor
    label: Tensor
    mask: Tensor | None = None
    code: Tensor | None = None
    row: Tensor | None = None

    @property
    def masks(self) -> Tensor:
        """The masks; a :class:`BenchmarkError` where the method does not see them."""
        return self._there(self.mask, "masks", "Set needs.masks on the method.")

    @property
    def codes(self) -> Tensor:
        """The codes; a :class:`BenchmarkError` where the method does not see them."""
        return self._there(self.code, "codes", "Set needs.groups on the method.")

    @property
    def rows(self) -> Tensor:
        """The rows; a :class:`BenchmarkError` where they are not told."""
        return self._there(self.row, "rows", "Hand over which image of its set each one is.")

    def _there(self, value: Tensor | None, name: str, do: str) -> Tensor:
        if value is None:
            raise BenchmarkError(f"a batch comes without {name}", do=do)
        return value


@dataclass(frozen=True)
class Needs:
    """What a method sees beside images and labels; the tables print it.

    Attributes:
        masks: Foreground masks of training and validation images.
        groups: Which images carry which mark, in training and validation.
        balanced: The validation images once more, their marks drawn without regard to the label: a set in which
            the bias says nothing. Who has one knows of the bias.
        external: Images from outside the task.
        mask_at_test: A mask of the test image when it predicts: an oracle.
    """

    masks: bool = False
    groups: bool = False
    balanced: bool = False
    external: bool = False
    mask_at_test: bool = False

    def describe(self) -> str:
        words = {
            "masks": "training masks",
            "groups": "group labels",
            "balanced": "a validation set without bias",
            "external": "external data",
            "mask_at_test": "masks at test",
        }
        return ", ".join(text for name, text in words.items() if getattr(self, name)) or "nothing"


@dataclass(frozen=True)
class Task:
    """What a model is built for: a timm name, and shapes and size of the training data.

    Attributes:
        backbone: A timm name, perhaps with arguments behind it.
        classes: ``K``.
        channels: ``C``.
        height: ``H``.
        width: ``W``.
        images: Number of training images, for a method that keeps a number an image; 0 where nothing is trained.
    """

    backbone: str
    classes: int
    channels: int
    height: int
    width: int
    images: int = 0


class Examples(Protocol):
    """A set of images as a method may see it."""

    def __len__(self) -> int: ...

    def batches(self, size: int = 256) -> Iterator[Batch]:
        """All images in order, without augmentation, in batches of ``size`` (the last may be smaller)."""
        ...


@dataclass(frozen=True)
class Data:
    """What a method may look at between two phases.

    Attributes:
        train: The training images.
        val: The validation images, with the training's bias.
        balanced: See :class:`Needs`; ``None`` unless ``needs.balanced``.
    """

    train: Examples
    val: Examples
    balanced: Examples | None = None


Loss = Callable[["nn.Module", Batch, "torch.Generator"], Mapping[str, "Tensor"]]
"""``(network, batch, rng) -> scalars``, see :meth:`Method.loss`."""


@dataclass(frozen=True)
class Phase:
    """A stretch of a training with one loss, one optimizer and one learning-rate schedule.

    A phase starts from the best weights of the phase before and ends with its own best: those of the epoch with the
    lowest ``"loss"`` on the validation images, the first of equals.

    Attributes:
        name: For the log.
        epochs: Its length; 0 for a phase that is ``begin`` alone (a closed-form step).
        loss: As :meth:`Method.loss`.
        begin: ``(network, data, rng)``, called once before the first epoch; changes the network in place. It is not
            called again when a training resumes within the phase, so what it finds must live in the network's
            parameters and buffers.
        trained: ``network -> parameters`` that this phase trains; by default all that require a gradient.
        weights: ``(network, data) -> [N]``: how often each training image is drawn, relative to others; epochs are
            then drawn with replacement and keep their length. Called when the phase starts *and* when it resumes, so
            it must depend on parts of the network that the phase does not train. By default every image comes once.
        lr: Factor of the configured learning rate.
    """

    name: str
    epochs: int
    loss: Loss
    begin: Callable[[nn.Module, Data, torch.Generator], None] | None = None
    trained: Callable[[nn.Module], Iterable[nn.Parameter]] | None = None
    weights: Callable[[nn.Module, Data], Tensor] | None = None
    lr: float = 1.0


class Method(ABC):
    """How a model is trained.

    A method is stateless: all that it learns lives in the module that :meth:`build` returns.

    Attributes:
        needs: What the method sees beside images and labels.
        source: The paper, with the equation where there is one.
        trained_through: Name of the explainer whose maps the loss uses, if any: the report marks that column.
        masks_input: Whether the deployed module blanks the background itself, so that heatmaps there are zero by
            design and prove nothing.
    """

    class Settings(Options):
        """The method's own settings (the ``options`` of its YAML)."""

    needs: Needs = Needs()
    source: str = ""
    trained_through: str | None = None
    masks_input: bool = False

    def __init__(self, settings: Options) -> None:
        self.settings = settings

    def build(self, task: Task) -> nn.Module:
        """All that is trained; by default one timm classifier, images -> logits.

        Raises:
            BenchmarkError: If the method cannot work on such a task, with the reason.
        """
        from benchmark.backbone import create_classifier

        return create_classifier(task)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        """The stretches of a training; by default one.

        Args:
            epochs: Of the method's YAML: what all methods of a comparison share. A method that needs more (a second
                network, a warm-up) says so in its docstring.
        """
        return (Phase("train", epochs, self.loss),)

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        """The training loss of a batch.

        Args:
            network: What :meth:`build` returned, perhaps wrapped (precision, data parallel).
            batch: Images, labels and what else is declared.
            rng: A CPU generator; every random choice of the step draws from it.

        Returns:
            Scalars by name; ``"loss"`` is minimised (and, on the validation images, selects the epoch), the others
            are logged. Called with ``network.training`` off for validation.
        """

    def deploy(self, network: nn.Module) -> nn.Module:
        """The module that is shipped: images ``[B, C, H, W]`` in [0, 1] -> logits ``[B, K]``.

        With ``needs.mask_at_test`` it takes the masks ``[B, 1, H, W]`` as a second argument.
        """
        return network
