"""How each method is shared out over ranks, by what its loss does with the images of a batch.

A method of another package says it itself: an attribute ``shared_out``, ``"loss"`` or ``"network"``.
"""

from __future__ import annotations

from typing import Any, Literal, cast, get_args

from benchmark.api import Method
from benchmark.errors import BenchmarkError

Way = Literal["loss", "network"]
"""``loss``: each rank has the loss of its own images, and the loss of the batch is their mean, weighted by images. This
is for a loss that is a mean over images of what depends on one image and the statistics of batch norm. It may look into
the network.

``network``: each rank passes its images, and has the loss of all. The loss may compare images, and sees of the network
what it returns."""

EXPLAINED = "a mean over images; it explains the network from within"
WAYS: dict[str, tuple[Way, str]] = {
    **dict.fromkeys(("erm", "vit", "ag_sononet", "mask_input"), ("loss", "a mean over images")),
    **dict.fromkeys(
        (
            *("isnet", "isnet_path", "isnet_label", "isnet_original", "isnet_selective", "isnet_stochastic"),
            *("isnet_dual", "isnet_gradinput", "isnet_softmax_gradinput", "rrr", "rrr_gradcam", "gain", "cdep"),
        ),
        ("loss", EXPLAINED),
    ),
    "masktune": ("loss", "a mean over images; each is masked by a frozen network"),
    "dfr": ("loss", "a mean over images; every rank fits the same last layer"),
    "bg_swap": ("network", "an image gets the background of another"),
    "group_dro": ("network", "weighs by means over the groups of a batch"),
    "ham": ("network", "means over the images of each class"),
    "jtt": ("network", "divides by a sum of weights in validation"),
    "lff": ("network", "keeps averages of every image's loss in the network"),
    "multitask_unet": ("network", "overlap of all masks of a batch"),
    "unet_classifier": ("network", "overlap of all masks of a batch"),
}
"""Of each registered method of this project, with the reason."""


def way_of(name: str, method: Method) -> Way:
    """How a method with these settings is shared out.

    Raises:
        BenchmarkError: If it cannot be, with the reason.
    """
    way = WAYS[name][0] if name in WAYS else getattr(method, "shared_out", None)
    if way not in get_args(Way):
        raise BenchmarkError(
            f"method {name!r} cannot be trained by several processes",
            got="no word on how its loss treats the images of a batch",
            expected="an attribute shared_out: 'loss' or 'network' (docs/distributed.md)",
            do="Train it in one process.",
        )
    if way == "loss" and (reason := not_alone(method.settings)):
        raise BenchmarkError(
            f"method {name!r} with these options cannot be trained by several processes",
            got=reason,
            do="Train it in one process, or change the option.",
        )
    return cast(Way, way)


def not_alone(settings: Any) -> str | None:
    """Why a loss with these settings is no mean over images; ``None`` if it is."""

    def option(name: str, default: Any) -> Any:
        return getattr(settings, name, default)

    if option("path", "none") not in ("none", "zero"):
        return f"path: {option('path', None)}, a background that depends on the other images of the batch"
    if option("fraction", 1.0) < 1:
        return "fraction below 1: a part of the batch is normalised by its own statistics"
    if option("deep_supervision", False) or option("hidden", ()):
        return "heatmaps at hidden layers: their losses are ranked by the means of the batch"
    if option("bn", "constant") != "constant":
        return f"bn: {option('bn', None)}, a relevance pass through the statistics of one process's images"
    return None
