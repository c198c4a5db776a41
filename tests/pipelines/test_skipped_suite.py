"""A suite of two data sets of which one was skipped: the stages from training to the pages, run for real."""

import csv
import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from made_images import bars
from repository import ROOT, edit

from benchmark.biases.corner import Corner
from benchmark.cell import Cell
from benchmark.data.pack_write import created, write_columns
from benchmark.errors import BenchmarkError
from benchmark.inject import inject
from benchmark.paths import SuitePaths
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.report import write_report
from benchmark.skipped import Skipped
from benchmark.tune.trials import Budget, plan
from pipelines import check, costs, report, score, train
from pipelines.recipes import some_images

MARK = Skipped("secret", "needs credentials", "Register at the provider, then run `dvc repro`.")
CLAIM = """
claims:
  - {name: NAME, sentence: NAME is right, source: a test, test: every_seed, dataset: NAME, bias: corner, method: erm,
     variant: iid, metric: accuracy, at_least: 0}
"""


def make_project(folder: Path, datasets: tuple[str, ...]) -> None:
    """Settings and biased packs of a suite ``default``; ``secret`` is skipped."""
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(
        f"matrix: {{dataset: [{', '.join(datasets)}], bias: [corner], method: [erm]}}\nseeds: [0]\n"
    )
    methods = folder / "pipelines/configs/methods"
    methods.mkdir(parents=True)
    shutil.copy(ROOT / "pipelines/configs/methods/erm.yaml", methods)
    edit(methods / "erm.yaml", r"epochs: .*", "epochs: 1")
    shutil.copy(ROOT / "pipelines/dose/scoring.yaml", folder / "pipelines/configs/scoring.yaml")
    (folder / "pipelines/default").mkdir()
    claims = "claims:" + "".join(CLAIM.replace("\nclaims:", "").replace("NAME", name) for name in datasets)
    (folder / "pipelines/default/claims.yaml").write_text(claims)
    for name in datasets:
        path = folder / f"data/biased/{name}-corner/pack.h5"
        if name == MARK.dataset:
            with created(path, MARK.attributes()):
                pass
        else:
            subsets = inject(bars(96), Corner(Corner.Settings()))
            write_columns(path, {key: subset.columns() for key, subset in subsets.items()}, {})


def run_stages(datasets: tuple[str, ...]) -> None:
    for name in datasets:
        cell = Namespace(cell=f"{name}-corner-erm", suite="default", dry_run=False, workers=1)
        train.train(cell)
        score.score(cell)
    report.report(Namespace(suite="default"))
    check.check(Namespace(suite="default", record=False, strict=False))  # nothing is recorded yet


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder, ("bars", "secret"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_stages(("bars", "secret"))
    return folder


def test_every_stage_leaves_the_files_that_it_declares(project: Path) -> None:
    assert json.loads((project / "runs/default/secret-corner-erm/skipped.json").read_text()) == vars(MARK)
    results = project / "results/default"
    for kind in ("predictions", "gallery"):
        with np.load(results / kind / "secret-corner-erm.npz", allow_pickle=False) as archive:
            assert archive.files == []
    facts = json.loads((results / "cells/secret-corner-erm.json").read_text())
    assert facts["skipped"] == {"reason": MARK.reason, "do": MARK.do}


def test_the_report_says_what_was_skipped_and_what_to_do(project: Path) -> None:
    for page in ("report.md", "report.html"):
        text = (project / "results/default" / page).read_text()
        assert "secret-corner: skipped: needs credentials. Register at the provider" in text
    assert "**Accuracy of every seed beside its heatmap loss**" in (project / "results/default/report.md").read_text()


def test_all_other_cells_have_their_numbers(project: Path) -> None:
    with (project / "results/default/scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["dataset"] for row in rows} == {"bars"}
    accuracy = [row["value"] for row in rows if (row["variant"], row["metric"]) == ("iid", "accuracy")]
    assert len(accuracy) == 1 and 0 <= float(accuracy[0]) <= 1


def test_a_claim_about_what_was_skipped_is_undecided(project: Path) -> None:
    with (project / "results/default/claims.csv").open() as stream:
        verdicts = {row["claim"]: row["verdict"] for row in csv.DictReader(stream)}
    assert verdicts == {"bars is right": "pass", "secret is right": "undecided"}


def test_recorded_numbers_of_what_was_skipped_do_not_drift_and_are_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    check.check(Namespace(suite="default", record=True, strict=True))
    reference = project / "results/reference/default.csv"
    with reference.open("a") as stream:
        stream.write(
            'secret,corner,erm,iid,accuracy,0.9,0.8,1.0,50,1,band,"this project, version 0.1.0, training code x"\n'
        )
    for record in (False, True):
        capsys.readouterr()
        check.check(Namespace(suite="default", record=record, strict=True))
        assert "0 drifted, secret skipped" in capsys.readouterr().out
        assert reference.read_text().splitlines()[-1].startswith("secret,corner,erm,iid,accuracy,0.9")


def test_a_suite_of_which_nothing_is_left_still_has_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path, ("secret",))
    monkeypatch.chdir(tmp_path)
    run_stages(("secret",))
    text = (tmp_path / "results/default/report.md").read_text()
    assert "secret-corner: skipped: needs credentials" in text
    assert (tmp_path / "results/default/figures").is_dir()  # an output of the stage
    costs.costs(Namespace(suite="default", rounds=1))
    assert (tmp_path / "results/default/costs.csv").read_text().startswith("method,")
    write_report(tmp_path / "results/default")  # with an empty table of costs


def test_costs_are_measured_on_the_first_task_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path, ("secret", "bars"))
    monkeypatch.chdir(tmp_path)
    sets, count = some_images(SuitePaths("default"))
    assert (len(sets.train), count) == (48, 48)
    make_project(tmp_path / "none", ("secret",))
    monkeypatch.chdir(tmp_path / "none")
    with pytest.raises(BenchmarkError, match="every task of suite default is skipped"):
        some_images(SuitePaths("default"))


def test_settings_are_not_searched_on_what_was_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path, ("secret",))
    shutil.copytree(ROOT / "pipelines/configs/search", tmp_path / "pipelines/configs/search")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchmarkError, match=r"secret-corner-erm cannot be tuned: secret is skipped.*Register"):
        plan(Cell("secret", "corner", "erm"), SuitePaths("default"), Budget(trials=1, epochs=1, seed=0))


def test_the_protocol_says_which_images_the_variants_show() -> None:
    here, there = (Shown([n, n * 2], [n, n * 2], ["h", "h"], [0, 1]) for n in ("a", "b"))
    natural = Predictions(
        [0], {"iid": here, "external": there}, dict.fromkeys(("iid", "external"), np.zeros((1, 2, 2)))
    )
    planted = Predictions([0], {"iid": here, "ood": here}, dict.fromkeys(("iid", "ood"), np.zeros((1, 2, 2))))
    assert report.shown({Cell("a", "b", "erm"): planted, Cell("a", "b", "isnet"): planted}) == [
        "Tested on iid (bias as in training) and ood (no bias), which show the same test images."
    ]
    (line,) = report.shown({Cell("c", "d", "erm"): natural})
    assert line.startswith(
        "Tested on iid (bias as in training); on external (other sources): other images, whose units"
    )
