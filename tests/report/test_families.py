"""The report of all families, from predictions with scores of images to pages."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.metrics.sheet import METRIC_COLUMNS, metric_sheet
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.report import write_report
from benchmark.report.families import family_tables, together
from benchmark.report.headline import headline
from benchmark.report.load import load
from benchmark.report.page import chapters
from benchmark.report.tables import training_table
from benchmark.summary import summarise
from benchmark.tables import write_csv

METHODS = ("erm", "isnet", "rrr_gradcam", "unet_classifier", "vit")
N, SEEDS = 60, 3
MASS = "background_relevance_mass"
LABEL = np.arange(N) % 2
EXPLAINERS = {"": "integrated_gradients", "_lrp": "lrp_epsilon", "_grad_cam": "grad_cam", "_edges": "edges"}
FAITHFUL = {"_integrated_gradients": 0.6, "_lrp": 0.5, "_grad_cam": 0.0, "_edges": 0.5}
SIMILAR = {"_integrated_gradients": 0.3, "_lrp": 0.3, "_grad_cam": 0.1, "_edges": 0.99}


def predictions(method):
    """Relevance of 0.1 to 0.9 on the background by method; Grad-CAM is not faithful, and cannot explain ``vit``."""
    rng = np.random.default_rng(len(method))
    lean = {"erm": 0.9, "vit": 0.7, "rrr_gradcam": 0.5, "isnet": 0.1, "unet_classifier": 0.05}[method]
    names = np.array([f"i{row:02d}" for row in range(N)])
    shown = Shown(names, names, np.full(N, "here"), LABEL)
    logits = {
        "iid": rng.normal(size=(SEEDS, N, 2)) + 3 * np.eye(2)[LABEL],
        "deceiving": rng.normal(size=(SEEDS, N, 2)) + 3 * (1 - 2 * lean) * np.eye(2)[LABEL],
    }

    def near(value):
        return np.clip(rng.normal(value, 0.02, (SEEDS, N)), -1, 1).astype(np.float32)

    scores = {(MASS + end, variant): near(lean) for end in EXPLAINERS for variant in ("iid", "deceiving")}
    scores |= {("mask_auroc", "iid"): near(0.8), ("background_swap_flip_rate", "iid"): near(lean)}
    scores |= {(f"faithfulness{end}", "iid"): near(value) for end, value in FAITHFUL.items()}
    scores |= {(f"randomisation{end}", "iid"): near(value) for end, value in SIMILAR.items()}
    if method == "vit":
        scores |= {key: np.full((SEEDS, N), np.nan, np.float32) for key in scores if key[0].endswith("_grad_cam")}
    facts = {"chosen": [1] * SEEDS, "share": [0.5, 0.0, 0.5, 0.0], "conflicting": [], "chosen_on": "balanced"}
    return Predictions(
        seeds=np.arange(SEEDS),
        tested=dict.fromkeys(logits, shown),
        logits={variant: value.astype(np.float32) for variant, value in logits.items()},
        subset=dict.fromkeys(logits, np.arange(N)),
        image_scores=scores,
        attributes={"groups": json.dumps(facts)},
    )


@pytest.fixture(scope="module")
def folder(pristine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("families") / "results"
    folder.mkdir()
    tables = summarise({Cell("d", "b", method): predictions(method) for method in METHODS}, draws=100)
    tables.write(folder)
    write_csv(folder / "metrics.csv", metric_sheet((row.metric for row in tables.rows), EXPLAINERS), METRIC_COLUMNS)
    suite = json.loads((pristine / "suite.json").read_text())
    first = suite["cells"][0] | {"dataset": "d", "bias": "b", "classes": 2, "trained_through": None}
    suite["cells"] = [first | {"method": name, "masks_input": name == "unet_classifier"} for name in METHODS]
    suite["cells"][1]["trained_through"] = "lrp_epsilon"
    suite["cells"][4]["not_defined"] = {"grad_cam": "no convolutional map"}
    (folder / "suite.json").write_text(json.dumps(suite))
    return folder


@pytest.fixture(scope="module")
def tables(folder):
    results = load(folder)
    (task,) = results.tasks
    found = family_tables(task, results.measures)
    return {table.key.removeprefix("d-b-"): table for part in found.values() for table in part}


def entry(table, method, head):
    (place,) = [i for i, h in enumerate(table.heads) if head in (h.text, f"{h.group} {h.text}".strip())]
    (row,) = [row for row in table.rows if row.names == (method,)]
    return row.entries[place - 1]


def test_every_explainer_has_a_column_and_its_training_is_marked(tables):
    mass = tables["mass"]
    assert entry(mass, "erm", "iid integrated gradients ↓").mark == ""
    assert entry(mass, "isnet", "iid LRP-ε ↓").mark == "†"
    assert entry(mass, "isnet", "iid integrated gradients ↓").mark == ""
    assert entry(mass, "unet_classifier", "iid LRP-ε ↓").mark == "‡"
    assert entry(mass, "rrr_gradcam", "iid Grad-CAM ↓").mark == "†§"


def test_an_explainer_that_fails_its_check_is_grey_with_the_reason(tables):
    mass = tables["mass"]
    assert {entry(mass, method, "iid Grad-CAM ↓").tone for method in ("erm", "isnet", "rrr_gradcam")} == {"unfit"}
    assert {entry(mass, method, "iid LRP-ε ↓").tone for method in METHODS} == {""}
    (note,) = [note for note in mass.notes if note.startswith("§ Grad-CAM")]
    for method in ("erm", "isnet", "rrr_gradcam"):
        assert f"{method}: not shown to be more faithful than a random order" in note
    assert "vit" not in note  # there the explainer has no map, and the field says so


@pytest.fixture
def black(folder):
    """The task with no relevance of the judge on the background of ``deceiving``, in any method."""
    results = load(folder)
    (task,) = results.tasks
    for method in METHODS:
        task.summary[method, "deceiving", MASS] = replace(task.summary[method, "deceiving", MASS], value=0.0)
    return results, task


def maps_and_note(results, task):
    (mass, *maps) = family_tables(task, results.measures)["Where the relevance lies"]
    told = [note for note in mass.notes if "by definition" in note]
    return [table.key.rpartition("-")[2] for table in maps], told


def test_where_the_background_is_the_judges_baseline_its_maps_are_left_out_with_the_reason(black):
    maps, (note,) = maps_and_note(*black)
    assert maps == ["iid"]
    assert note.startswith("On deceiving the background is black") and "all metrics of its heatmaps" in note


def test_one_method_with_relevance_there_brings_the_maps_back(black):
    results, task = black
    for method in ("erm", "unet_classifier"):
        row = task.summary[method, "deceiving", MASS]
        task.summary[method, "deceiving", MASS] = replace(row, value=1e-6)
        assert maps_and_note(results, task) == (["iid", "deceiving"], [])
        task.summary[method, "deceiving", MASS] = row


def test_zero_of_methods_that_blank_the_background_says_nothing_of_the_images(black):
    results, task = black
    task.runs = [run for run in task.runs if run.masks_input]
    assert maps_and_note(results, task) == (["iid", "deceiving"], [])


def test_units_are_told_by_head_with_the_variants_in_brackets(tables):
    (note,) = [note for note in tables["mass"].notes if note.startswith("Test units")]
    assert note == "Test units: 60."
    heads = {"occlusion": ["iid", "ood"], "GradientSHAP": ["iid", "ood"], "Grad-CAM": ["iid"], "ECE": [""]}
    assert together(heads) == "occlusion, GradientSHAP (iid, ood); Grad-CAM (iid); ECE"


def test_the_table_of_trainings_names_what_metrics_csv_says(folder):
    results = load(folder)
    table = training_table(results.tasks[0], results.measures)
    through = {row.names[0]: row.entries[4].text for row in table.rows}
    assert through == {
        "erm": "none of them",
        "vit": "none of them",
        "isnet": "LRP-ε",
        "rrr_gradcam": "Grad-CAM",
        "unet_classifier": "none of them",
    }
    assert "counted from 0" in table.heads[3].text and "may have improved further" in table.notes[0]


def test_an_explainer_that_cannot_explain_a_method_says_why(tables):
    assert entry(tables["mass"], "vit", "iid Grad-CAM ↓").reason == "no convolutional map"


def test_what_looks_at_no_model_is_told_below_and_is_no_column(tables):
    mass = tables["mass"]
    assert not any("edges" in head.text for head in mass.heads)
    assert any(note.startswith("The edges of the image, which looks at no model") for note in mass.notes)


def test_behaviour_groups_and_guards_have_tables_of_their_own(tables):
    assert {"groups", "mass", "maps-iid", "maps-deceiving", "behaviour", "faithfulness", "randomisation"} <= set(tables)
    flips = entry(tables["behaviour"], "erm", "iid Flips by a swap ↓")
    assert flips.value == pytest.approx(0.9, abs=0.02)
    assert entry(tables["groups"], "erm", "Worst group ↑").value < 0.2
    assert entry(tables["faithfulness"], "erm", "Grad-CAM ↑").value == pytest.approx(0, abs=0.02)


def test_tests_and_rankings_are_chapters(folder):
    results = load(folder)
    found = chapters(results, results.tasks[0])
    (tests,), (agreement,) = found["Every test"], found["Do the measures agree?"]
    assert [row.names[0] for row in tests.rows] == [m for m in results.tasks[0].methods if m != "erm"]
    pair = ("Accuracy lost, deceiving", "Background relevance mass, iid")
    (row,) = [row for row in agreement.rows if row.names == pair]
    assert row.entries[0].value == pytest.approx(1)


def test_pages_show_all_chapters_and_no_metric_twice(folder):
    write_report(folder)
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text()
        for title in (
            "Where the relevance lies",
            "What the model does",
            "Can the explainers be trusted?",
            "Every test",
        ):
            assert title in text
        assert text.count("Background relevance mass by every explainer") >= 1
        assert "mask auroc (higher" not in text.lower()
    assert 'class="unfit"' in (folder / "report.html").read_text()


def test_a_suite_without_the_new_tables_is_still_reported(folder, tmp_path):
    for name in ("suite.json", "summary.csv", "scores.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    results = load(tmp_path)
    assert chapters(results, results.tasks[0]) == {}


def test_a_truth_that_is_none_is_told_with_its_place(folder, tmp_path):
    for path in folder.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "suite.json").write_bytes((folder / "suite.json").read_bytes())
    text = (tmp_path / "comparisons.csv").read_text().replace("True", "yes", 1)
    (tmp_path / "comparisons.csv").write_text(text)
    with pytest.raises(BenchmarkError, match=r"comparisons.csv line \d+, column 'primary'; got 'yes'.*True or False"):
        load(tmp_path)


def test_the_headline_greys_an_unfit_explainer_and_calls_nobody_best_by_it(folder, tmp_path):
    for path in (*folder.glob("*.csv"), folder / "suite.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lines = (tmp_path / "guards.csv").read_text().splitlines()
    kept = [f"{line}no good" if line.startswith("d,b,isnet,integrated_gradients") else line for line in lines]
    (tmp_path / "guards.csv").write_text("\n".join(kept) + "\n")
    results = load(tmp_path)
    table = headline(results.tasks[0], results)
    (row,) = [row for row in table.rows if row.names[-1] == "isnet"]
    (place,) = [i for i, head in enumerate(table.heads) if head.text == "integrated gradients"]
    found = row.entries[place - len(row.names)]
    assert (found.mark, found.tone, found.best) == ("§", "unfit", False)
    assert any(note.startswith("Grey, §") for note in table.notes)
