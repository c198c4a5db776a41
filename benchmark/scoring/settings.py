"""``scoring.yaml``: what is computed of every trained model beside its predictions.

A suite's own file (``pipelines/<suite>/scoring.yaml``) comes before the shared one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from benchmark.api import VARIANTS, Options
from benchmark.errors import raise_unknown
from benchmark.registry import EXPLAINERS

JUDGE = "integrated_gradients"
"""The explainer of the headline: independent of every method's training."""

SHORT = {JUDGE: "", "lrp_epsilon": "_lrp"}


def suffix(explainer: str) -> str:
    """The end of an explainer's metric columns: none for the judge."""
    return SHORT.get(explainer, f"_{explainer}")


def explainer_of(end: str) -> str:
    """The explainer behind the end of a metric's name; :func:`suffix` the other way round."""
    return {text: name for name, text in SHORT.items()}.get(end, end.removeprefix("_"))


class Explaining(Options):
    """How far one explainer goes."""

    images: int = Field(100, ge=1, description="test images, drawn once: fewer images are always some of more")
    variants: tuple[str, ...] = Field(VARIANTS, description="of which variants, where the task has them")
    metrics: Literal["all", "short"] = Field("short", description="all metrics of heatmaps, or the short list")

    @field_validator("variants")
    @classmethod
    def _variants(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in VARIANTS:
                raise ValueError(f"{name!r} is no variant: expected {', '.join(VARIANTS)}")
        return names


class Scoring(Options):
    """All settings of the stage ``score``."""

    explainers: dict[str, Explaining] = Field(description="name of a registered explainer -> how far it goes")
    behaviour: int = Field(1000, ge=0, description="test images whose behaviour is measured; 0: none")
    guards: int = Field(32, ge=0, description="iid images on which every explainer is itself tested; 0: none")

    @field_validator("explainers")
    @classmethod
    def _explainers(cls, explainers: dict[str, Explaining]) -> dict[str, Explaining]:
        if JUDGE not in explainers:
            raise ValueError(f"{JUDGE!r} is missing: it is the judge of every table")
        if "iid" not in explainers[JUDGE].variants:
            raise ValueError(f"variants of {JUDGE!r} lack 'iid': the gallery and the rankings show the judge there")
        for name in explainers:
            if name not in EXPLAINERS:
                raise_unknown("explainer", name, EXPLAINERS, do="Mend scoring.yaml, or install what brings it.")
        return explainers

    @property
    def images(self) -> int:
        """The largest number of images that anything looks at."""
        return max(self.behaviour, self.guards, *(one.images for one in self.explainers.values()))


HEADLINE = Scoring.model_validate(
    {"explainers": {name: {"metrics": "all"} for name in SHORT}, "behaviour": 0, "guards": 0}
)
"""The two explainers of the headline and nothing else."""
