"""The words of the report: what a variant, a metric and an explainer are called, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE = "erm"
"""The method that every difference is taken against."""

VARIANTS = {
    "iid": "bias as in training",
    "ood": "no bias",
    "deceiving": "the bias of another class",
    "external": "other sources",
}

SHIFTS = {
    "deceiving": "where the bias misleads",
    "external": "on images from other sources",
    "ood": "where the bias is absent",
}
"""What the headline compares iid with: of the variants that a task has, the first of these."""

EXPLAINERS = {
    "integrated_gradients": "integrated gradients",
    "lrp_epsilon": "LRP-ε",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
    "gradient_shap": "GradientSHAP",
    "attention_rollout": "attention rollout",
    "uniform": "a uniform map",
    "centre": "a Gaussian at the centre",
    "edges": "the edges of the image",
}
SIMPLE = ("uniform", "centre", "edges")
"""Explainers that look at no model: what a table's numbers are compared with."""


GREY, UNFIT = "§", "unfit"
"""Sign and tone of a value by an explainer that failed a check on the method."""


@dataclass(frozen=True)
class MetricWords:
    """How a metric is printed.

    Attributes:
        label: Its name in a caption.
        higher_is_better: Direction.
        explainer: Where its heatmaps come from, if it scores heatmaps: a method that is trained through this
            explainer is marked.
        bounded: A fraction (three decimals), else a loss (three significant digits).
    """

    label: str
    higher_is_better: bool = True
    explainer: str | None = None
    bounded: bool = True


METRICS = {
    "accuracy": MetricWords("Accuracy"),
    "balanced_accuracy": MetricWords("Balanced accuracy"),
    "macro_f1": MetricWords("Macro F1"),
    "macro_auroc": MetricWords("Macro AUROC, one class against the rest"),
    "macro_auroc_hand_till": MetricWords("Macro AUROC of Hand and Till"),
    "macro_auprc": MetricWords("Macro average precision"),
    "ece": MetricWords("Expected calibration error", False),
    "brier": MetricWords("Brier score", False),
    "background_relevance_mass": MetricWords(
        "Background relevance mass, integrated gradients", False, "integrated_gradients"
    ),
    "background_relevance_mass_lrp": MetricWords("Background relevance mass, LRP-ε", False, "lrp_epsilon"),
    "heatmap_loss": MetricWords("Validation heatmap loss", False, bounded=False),
}

LABELS = {
    "accuracy_gap": "Accuracy lost",
    "background_relevance_mass": "Background relevance mass",
    "background_relevance_mass_if_correct": "Background relevance mass, right answers",
    "mark_relevance": "Mark's relevance",
    "density_ratio": "Density ratio",
    "density_share": "Density share",
    "relevance_mass_accuracy": "Relevance mass accuracy",
    "relevance_rank_accuracy": "Relevance rank accuracy",
    "inside_total_ratio": "Inside-total ratio",
    "weighted_inside_total_ratio": "Inside-total ratio by area",
    "pointing_game": "Pointing game",
    "energy_pointing_game": "Energy pointing game",
    "mask_auroc": "Mask AUROC",
    "mask_average_precision": "Mask average precision",
    "iou_top_area": "IoU of the top |M|",
    "iou_curve_area": "Area under IoU",
    "background_curve_area": "Area under the background curve",
    "background_swap_flip_rate": "Flips by a swap",
    "background_swap_effect": "Effect of a swap",
    "swapped_same_accuracy": "Accuracy, swapped, same class",
    "swapped_other_accuracy": "Accuracy, swapped, other class",
    "background_gap": "Background gap",
    "adversarial_background_robustness": "Right on all backgrounds",
    "only_background_accuracy": "Accuracy, only background",
    "no_foreground_accuracy": "Accuracy, foreground blank",
    "background_noise_accuracy": "Accuracy, noisy background",
    "foreground_noise_accuracy": "Accuracy, noisy foreground",
    "relative_foreground_sensitivity": "Relative foreground sensitivity",
    "injection_gap": "Accuracy lost to a mark",
    "injection_pull": "Pull of a mark",
    "bias_decodability": "Decodability of the mark",
    "predicted_mask_accuracy": "Accuracy, predicted masks",
    "worst_group_accuracy": "Worst group",
    "worst_group_plug_in": "Worst group, plug-in",
    "plain_average": "Plain average",
    "adjusted_average": "Adjusted average",
}
"""Short heads of the tables that have one column a metric."""

GAP = "_gap"
"""Ending of a metric that is its iid value minus that of the variant."""


def metric_words(metric: str) -> MetricWords:
    """The words of a metric; a gap has those of its metric, an unknown metric its own name."""
    if metric in METRICS:
        return METRICS[metric]
    base = METRICS.get(metric.removesuffix(GAP))
    if metric.endswith(GAP) and base is not None:
        return MetricWords(f"{base.label} gap", not base.higher_is_better)
    return MetricWords(metric.replace("_", " "), bounded=False)


def explainer_words(explainer: str) -> str:
    """The name of an explainer in prose."""
    return EXPLAINERS.get(explainer, explainer.replace("_", " "))


def metric_label(metric: str) -> str:
    """A short head; a metric of another explainer than the judge names it."""
    if metric in LABELS:
        return LABELS[metric]
    for explainer, words in EXPLAINERS.items():
        for end in (f"_{explainer}", "_lrp" if explainer == "lrp_epsilon" else f"_{explainer}"):
            if metric.endswith(end) and metric.removesuffix(end) in LABELS:
                return f"{LABELS[metric.removesuffix(end)]}, {words}"
    return METRICS[metric].label if metric in METRICS else metric.replace("_", " ")


def in_order(names: set[str], known: dict[str, object] | dict[str, str] | dict[str, MetricWords]) -> list[str]:
    """The known names in their order, then the others by alphabet."""
    return [name for name in known if name in names] + sorted(names - set(known))


def listed(parts: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def tested_on(variants: list[str]) -> str:
    """The variants with their meaning: ``iid (bias as in training), ood (no bias) and ...``."""
    return listed([f"{name} ({VARIANTS[name]})" for name in variants])


def not_shown(*, claims: bool = False) -> list[str]:
    """What a reader must not take from these tables.

    Args:
        claims: Whether claims stand beside them.
    """
    beside = "beside the claims, " if claims else ""
    return [
        "That a method would do as well on other images, on another bias or with another backbone: each table is "
        "one dataset, one bias and one recipe.",
        "That a model is free of shortcuts: only the named bias is tested, and a shortcut inside the foreground "
        "mask is invisible to every number here.",
        "That a low heatmap loss, or a low relevance mass by the explainer a method is trained through (†), means "
        "that the background is unused: both are the training objective itself.",
        f"That one method beats another where neither is erm: {beside}only differences to erm are tested.",
        "That a model is safe or useful for patients: this is no clinical validation.",
    ]
