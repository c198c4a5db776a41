"""What a reader must know of each explainer's maps, as a table: conventions, and who was trained through it.

No torch here: reports read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ExplainerFacts:
    """The conventions of one explainer.

    Attributes:
        words: Its name in a table.
        sign: Whether relevance against the target is negative (``signed``) or not there (``positive``).
        upsampling: How a coarse map comes to the image's size; ``none`` where it is made at that size.
        baseline: What the image is compared with; ``none`` where with nothing.
        target_dependent: Whether the map is that of one logit.
        looks_at_model: Whether the map depends on the model at all.
        trained_by: Methods of the suite whose loss, or whose training images, use maps of this kind.
        source: Paper, and library.
    """

    words: str
    sign: Literal["signed", "positive"]
    upsampling: str
    baseline: str
    target_dependent: bool
    looks_at_model: bool
    trained_by: tuple[str, ...]
    source: str

    @property
    def independent_of_training(self) -> bool:
        """Whether no method of the suite is trained through it."""
        return not self.trained_by


EXPLAINER_FACTS: Mapping[str, ExplainerFacts] = {
    "integrated_gradients": ExplainerFacts(
        words="integrated gradients",
        sign="signed",
        upsampling="none",
        baseline="black",
        target_dependent=True,
        looks_at_model=True,
        trained_by=(),
        source="Sundararajan et al. 2017 (arXiv 1703.01365); captum, 20 Gauss-Legendre points",
    ),
    "lrp_epsilon": ExplainerFacts(
        words="LRP-ε",
        sign="signed",
        upsampling="none",
        baseline="none",
        target_dependent=True,
        looks_at_model=True,
        trained_by=(
            "isnet",
            "isnet_dual",
            "isnet_label",
            "isnet_original",
            "isnet_path",
            "isnet_selective",
            "isnet_stochastic",
        ),
        source="Bach et al. 2015 (doi 10.1371/journal.pone.0130140); ours, ε = 0.01",
    ),
    "grad_cam": ExplainerFacts(
        words="Grad-CAM",
        sign="positive",
        upsampling="bilinear, from the last map of at least 7 pixels a side",
        baseline="none",
        target_dependent=True,
        looks_at_model=True,
        trained_by=("gain", "ham", "masktune", "rrr_gradcam"),
        source="Selvaraju et al. 2017 (arXiv 1610.02391); captum",
    ),
    "occlusion": ExplainerFacts(
        words="occlusion",
        sign="signed",
        upsampling="mean of the windows over a pixel: a quarter of the shorter side wide, an eighth apart",
        baseline="the image's own mean, of each channel",
        target_dependent=True,
        looks_at_model=True,
        trained_by=(),
        source="Zeiler and Fergus 2014 (arXiv 1311.2901); captum",
    ),
    "gradient_shap": ExplainerFacts(
        words="GradientSHAP",
        sign="signed",
        upsampling="none",
        baseline="black, grey, white and uniform noise",
        target_dependent=True,
        looks_at_model=True,
        trained_by=(),
        source="Lundberg and Lee 2017 (arXiv 1705.07874), by quadrature; captum, 4 points a baseline",
    ),
    "attention_rollout": ExplainerFacts(
        words="attention rollout",
        sign="positive",
        upsampling="bilinear, from the grid of patches",
        baseline="none",
        target_dependent=False,
        looks_at_model=True,
        trained_by=(),
        source="Abnar and Zuidema 2020 (arXiv 2005.00928)",
    ),
    "uniform": ExplainerFacts(
        words="uniform map",
        sign="positive",
        upsampling="none",
        baseline="none",
        target_dependent=False,
        looks_at_model=False,
        trained_by=(),
        source="chance level",
    ),
    "centre": ExplainerFacts(
        words="centre Gaussian",
        sign="positive",
        upsampling="none",
        baseline="none",
        target_dependent=False,
        looks_at_model=False,
        trained_by=(),
        source="Judd, Durand and Torralba 2012 (MIT-CSAIL-TR-2012-001), as the centre model of saliency data",
    ),
    "edges": ExplainerFacts(
        words="edge detector",
        sign="positive",
        upsampling="none",
        baseline="none",
        target_dependent=False,
        looks_at_model=False,
        trained_by=(),
        source="Adebayo et al. 2018 (arXiv 1810.03292), as a control; Sobel, scikit-image",
    ),
}
"""Explainer to its conventions, for all of the suite."""

BY_OTHER_MAPS = ("rrr", "cdep", "isnet_gradinput", "isnet_softmax_gradinput")
"""Methods whose training uses heatmaps of a kind that is no explainer here: input gradients, their product with the
input, and contextual decomposition."""


def trained_by_maps() -> frozenset[str]:
    """All methods of the suite whose training uses heatmaps of any kind."""
    return frozenset(BY_OTHER_MAPS).union(*(facts.trained_by for facts in EXPLAINER_FACTS.values()))
