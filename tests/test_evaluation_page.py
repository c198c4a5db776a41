"""docs/evaluation.md tells what the committed results say."""

import csv
import re
import statistics
from pathlib import Path

import pytest

from benchmark.metrics.named import metric_named
from benchmark.rankings import ALL, OTHERS
from benchmark.registry import METRICS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
MEASURES = {
    "background gap (swaps)": "background_gap",
    "flips by a swap": "background_swap_flip_rate",
    "accuracy, only background": "only_background_accuracy",
    "relevance on the background: integrated gradients": "background_relevance_mass",
    "LRP-ε": "background_relevance_mass_lrp",
    "occlusion": "background_relevance_mass_occlusion",
    "GradientSHAP": "background_relevance_mass_gradient_shap",
    "Grad-CAM": "background_relevance_mass_grad_cam",
}
EXPLAINERS = {
    "GradientSHAP": "gradient_shap",
    "occlusion": "occlusion",
    "integrated gradients (judge)": "integrated_gradients",
    "LRP-ε": "lrp_epsilon",
    "Grad-CAM": "grad_cam",
    "edges of the image": "edges",
    "Gaussian at the centre": "centre",
}


def rows_of(path):
    with (ROOT / "results" / path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def line(start, columns):
    """The cells behind the first one of the row of that length whose first cell is ``start``."""
    found = [row.split(" | ")[1:] for row in re.findall(rf"^\| ({re.escape(start)} \|[^\n]*) \|$", PAGE, re.M)]
    (cells,) = [cells for cells in found if len(cells) == columns]
    return cells


@pytest.mark.parametrize("words", MEASURES)
def test_rank_correlations_are_those_of_the_results(words):
    columns = [("default", ALL), ("methods", ALL), ("default", OTHERS), ("methods", OTHERS)]
    for told, (suite, methods) in zip(line(words, 4), columns, strict=True):
        (row,) = [
            row
            for row in rows_of(f"{suite}/agreement.csv")
            if (row["methods"], row["first_variant"], row["first"], row["second"])
            == (methods, "deceiving", "accuracy_gap", MEASURES[words])
        ]
        numbers = [float(row[name] or "nan") for name in ("value", "low", "high")]
        assert told == ("{:.2f} [{:.2f}, {:.2f}]".format(*numbers) if row["low"] else "not defined")


@pytest.mark.parametrize("words", EXPLAINERS)
def test_faithfulness_is_that_of_the_results(words):
    rows = [
        row for row in rows_of("methods/guards.csv") if row["explainer"] == EXPLAINERS[words] and row["faithfulness"]
    ]
    values = [float(row["faithfulness"]) for row in rows]
    told = f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})".replace("-", "\N{MINUS SIGN}")
    assert line(words, 3)[0] == told
    failed = [row["method"] for row in rows if row["verdict"] and not row["verdict"].startswith("not decided")]
    expected = "all" if len(failed) == len(rows) else ", ".join(f"`{name}`" for name in sorted(failed)) or "none"
    assert line(words, 3)[2] == expected


def test_every_metric_of_images_is_explained():
    for name in METRICS:
        if metric_named(name).family in ("attribution", "behaviour") and name != "predicted_mask_accuracy":
            assert f"`{name}`" in PAGE or name == "weighted_inside_total_ratio", name
