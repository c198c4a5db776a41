"""The record: one JSON file that says what a method answered on every test image, and on which data.

Logits are the little-endian float32 of ``[images, classes]``, row by row, as base64: a text for each seed and variant.
That keeps every bit (a score can be recomputed exactly), takes 0.5 MB for 3 seeds x 3 variants x 1000 images x 10
classes, and any language can write it. Images are in the order of the suite's stored predictions; a hash of their names
and labels says so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from benchmark.submission.protocol import MOST_SEEDS

Variant = Literal["iid", "ood", "deceiving", "external"]
Claimable = Literal["accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "brier", "ece"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
TaskName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*-[a-z][a-z0-9_]*$", max_length=129)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", min_length=4)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Package = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Part(BaseModel):
    """Unknown fields are refused, and a number in quotes is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Sees(Part):
    """What the method sees beside training images and labels (rule 6); a field that is left out is false."""

    masks: bool = Field(False, description="foreground masks of training and validation images")
    groups: bool = Field(False, description="which training and validation images carry which mark")
    balanced: bool = Field(False, description="validation images with marks that say nothing of the class")
    external: bool = Field(False, description="images from outside the task, a pretrained network among them")
    mask_at_test: bool = Field(False, description="a mask of the test image when it predicts")


class Shown(Part):
    """The images of a variant."""

    count: int = Field(ge=1, le=10_000_000, description="number of test images")
    sha256: Sha256 = Field(
        description="SHA-256 of the UTF-8 text with a line `id<TAB>label<LF>` for each image, in the suite's order; "
        "a label is a class index from 0"
    )


class Answers(Part):
    """What the model of one seed answers on one variant."""

    variant: Variant = Field(description="which images")
    seed: Seed = Field(description="one of `seeds`")
    float32: Base64 = Field(
        description="base64 (RFC 4648, with padding) of count x classes little-endian IEEE 754 float32 numbers, "
        "image by image, all finite: the logits, or the probabilities if every row is a distribution",
        json_schema_extra={"contentEncoding": "base64"},
    )


class Claimed(Part):
    """A score that the record claims. It is compared with the recomputed one; what is left out is not claimed."""

    variant: Variant = Field(description="on which images")
    metric: Claimable = Field(description="as in the suite's metrics.csv")
    per_seed: list[float] = Field(
        min_length=1, max_length=MOST_SEEDS, description="a value for each of `seeds`, in their order"
    )
    value: float = Field(description="their mean")
    low: float | None = Field(None, description="lower bound of the 95 % interval; null: not claimed")
    high: float | None = Field(None, description="upper bound; null: not claimed")


class Record(Part):
    """A method's predictions on one task of a suite of shortcut-bench, submitted by somebody else."""

    schema_version: Literal[1] = Field(description="of this layout")
    protocol: int = Field(ge=1, le=10_000, description="number in the title of RULES.md that the method kept to")
    suite: Name = Field(description="the suite whose test images these are")
    task: TaskName = Field(description="dataset-bias, such as mnist5k-corner")
    method: Name = Field(description="the method's name; not one that the benchmark has already")
    sees: Sees = Field(description="what the method sees beside training images and labels")
    backbone: Text = Field("", description="network, for people")
    source: Text = Field("", description="paper or code, for people")
    note: Text = Field("", description="anything else, for people")
    data: Sha256 = Field(description="SHA-256 of the biased pack that the method was trained and tested on")
    classes: int = Field(ge=2, le=100_000, description="number of classes")
    seeds: list[Seed] = Field(
        min_length=1, max_length=MOST_SEEDS, description="training seeds, all different; all that were trained"
    )
    images: dict[Variant, Shown] = Field(min_length=1, description="the images of every variant of the task")
    logits: list[Answers] = Field(
        min_length=1, max_length=4 * MOST_SEEDS, description="one entry for each variant and seed, in any order"
    )
    scores: list[Claimed] = Field(
        default_factory=list, max_length=24, description="what the record claims; may be empty"
    )
    environment: dict[Package, Text] = Field(
        default_factory=dict, max_length=100, description="versions of what wrote the record or trained the method"
    )
    sha256: Sha256 = Field(
        description="SHA-256 of this object without `sha256` and `scores`, as canonical JSON (RFC 8785: sorted keys, "
        "no spaces, UTF-8). It finds damage; it is no signature"
    )


def json_schema() -> dict[str, Any]:
    """The published schema: ``record.schema.json``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Record.model_json_schema()}
