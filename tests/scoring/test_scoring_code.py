import pytest

from benchmark import provenance
from benchmark.config import load
from benchmark.paths import SuitePaths
from benchmark.provenance import closure
from benchmark.registry import METRICS
from benchmark.scoring import code
from benchmark.scoring.code import PROGRAM, of_images, scoring_hash
from benchmark.scoring.settings import HEADLINE, Scoring


def test_the_engine_behind_an_explainer_decides_scores_and_the_statistics_do_not():
    names = closure([PROGRAM, "baselines.explainers"])
    assert "isnet.lrp.engine" in names
    assert "benchmark.behaviour.composites" in names
    assert not any(name.startswith(("benchmark.stats", "benchmark.report", "benchmark.summary")) for name in names)


def test_metrics_of_predictions_are_left_to_the_report():
    names = {entry.name for entry in of_images()}
    assert {"background_relevance_mass", "iou_curve_area", "bias_decodability", "faithfulness"} <= names
    assert not {"accuracy", "brier", "macro_auroc"} & names
    families = {METRICS.get(name).family for name in names}
    assert families == {"attribution", "behaviour", "guard"}


def test_other_explainers_are_other_code():
    everything = load(Scoring, SuitePaths().scoring_yaml)
    assert scoring_hash(HEADLINE) == scoring_hash(HEADLINE)
    assert scoring_hash(everything) != scoring_hash(HEADLINE)


@pytest.mark.parametrize(("edit", "same"), [("# a comment\n", True), ("X = 1\n", False)])
def test_a_comment_moves_nothing_and_code_does(monkeypatch, tmp_path, edit, same):
    first, found = scoring_hash(HEADLINE), closure([PROGRAM, "baselines.explainers"])
    file = tmp_path / "edited.py"
    file.write_text(found["benchmark.guards.imputation"].read_text() + edit)

    def edited(start):
        return {
            n: file if n == "benchmark.guards.imputation" else path for n, path in provenance.closure(start).items()
        }

    monkeypatch.setattr(code, "closure", edited)
    assert (scoring_hash(HEADLINE) == first) is same
