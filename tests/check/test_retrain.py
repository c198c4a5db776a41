"""Tier (b): real trainings, tiny; and what is compared of them, by hand."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_images import made_index, thirds
from scipy.stats import t as student

from benchmark import paths
from benchmark.api import Images
from benchmark.biases.corner import Corner
from benchmark.cell import Cell
from benchmark.check import retrain as again
from benchmark.check.found import Part
from benchmark.check.retrain import Regression, compare_job, jobs_of, retrain, values_of
from benchmark.config import parse
from benchmark.data.masks import ink_mask
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError
from benchmark.files import write_json
from benchmark.inject import inject
from benchmark.predictions import Predictions, Tested
from benchmark.scoring.merged import merge
from benchmark.skipped import Skipped
from benchmark.training.pool import train_seeds
from benchmark.training.progress import Display

ROOT = Path(__file__).resolve().parents[2]
CELL = Cell("made", "corner", "rrr")
CHOSEN = parse(Regression, {"train": {"default": {CELL.key: [0]}}}, "test")
METHOD = """
version: 1
training:
  backbone: test_resnet
  epochs: 6
  batch_size: 8
  optimizer: {name: sgd, lr: 0.1}
  clip_norm: 1.0
options: {penalty_weight: 0.01}
"""


def bars(count: int) -> Images:
    """A bar whose height tells its class."""
    rng, label = np.random.default_rng(0), np.arange(count) % 3
    image = np.zeros((count, 28, 28, 1), np.uint8)
    for row, k in enumerate(label):
        left = rng.integers(8, 12)
        image[row, 9 + 3 * k : 12 + 3 * k, left : left + 9] = rng.integers(90, 160)
    return Images(image=image, mask=ink_mask(image, 0.1, 1), **made_index(label, thirds(count)).columns())


def write_project() -> paths.SuitePaths:
    """A suite of one cell with a pack, in the working directory; nothing is trained."""
    suite, pack = paths.SuitePaths(), paths.biased_pack(CELL.task)
    suite.params.write_text("matrix: {dataset: [made], bias: [corner], method: [rrr]}\nseeds: [0]\n")
    suite.method_yaml("rrr").parent.mkdir(parents=True)
    suite.method_yaml("rrr").write_text(METHOD)
    pack.parent.mkdir(parents=True)
    subsets = inject(bars(240), Corner(Corner.Settings()))
    write_columns(pack, {name: subset.columns() for name, subset in subsets.items()}, {})
    return suite


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with stored predictions of a real training."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        suite = write_project()
        (job,) = jobs_of(suite, CELL, (0,), Path("runs"))
        train_seeds([job], Display("stored", [0], 6))
        merge([Predictions.read(job.folder / "predictions.npz")]).write(suite.predictions(CELL))
    return root


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> paths.SuitePaths:
    monkeypatch.chdir(tmp_path)
    return write_project()


def test_a_model_trained_again_has_the_recorded_logits(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    before = sorted(trained.rglob("*"))
    part = retrain(paths.SuitePaths(), CHOSEN)
    assert (part.compared, part.moved, part.left) == (5, [], [])
    (note,) = part.notes
    assert note.startswith("made-corner-rrr seed 0: logits as recorded; iid accuracy ")
    assert sorted(trained.rglob("*")) == before, "it trains into a folder of its own"


def test_a_loss_weight_of_0_is_caught(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its penalty the method is the plain classifier, and reads the mark."""
    monkeypatch.chdir(trained)
    suite = paths.SuitePaths()
    file = suite.method_yaml("rrr")
    monkeypatch.setattr(paths.SuitePaths, "method_yaml", lambda self, name: Path("changed") / file.name)
    Path("changed").mkdir()
    Path("changed/rrr.yaml").write_text(METHOD.replace("0.01}", "0.0}"))
    part = retrain(suite, CHOSEN)
    moved = {one.name: one for one in part.moved}
    deceiving = moved["made-corner-rrr seed 0 deceiving accuracy"]
    assert float(deceiving.found) < float(deceiving.recorded) - 0.2
    assert "made-corner-rrr seed 0 deceiving accuracy_gap" in moved
    assert "logits differ" in part.notes[0]


def test_a_missing_pack_is_an_error_that_names_the_stage(project: paths.SuitePaths) -> None:
    paths.biased_pack(CELL.task).unlink()
    with pytest.raises(
        BenchmarkError, match=r"pack data/biased/made-corner/pack.h5 is missing.*dvc repro inject@made-corner`"
    ):
        retrain(project, CHOSEN)
    other = paths.SuitePaths("other")
    other.params.parent.mkdir(parents=True)
    shutil.copy(project.params, other.params)
    chosen = parse(Regression, {"train": {"other": {CELL.key: [0]}}}, "test")
    with pytest.raises(BenchmarkError, match=r"dvc repro pipelines/other/dvc.yaml:inject@made-corner`"):
        retrain(other, chosen)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"made-corner-erm": [0]}, r"unknown cell in pipelines/configs/regression.yaml; got 'made-corner-erm'"),
        ({CELL.key: [0, 7]}, r"seed of made-corner-rrr in .*regression.yaml; got 7; expected among 0"),
    ],
)
def test_only_cells_and_seeds_of_the_suite_are_trained(project: paths.SuitePaths, chosen, told: str) -> None:
    with pytest.raises(BenchmarkError, match=told):
        retrain(project, parse(Regression, {"train": {"default": chosen}}, "test"))


@pytest.mark.parametrize("level", [0, 1, "most"])
def test_a_level_that_is_none_is_refused(level) -> None:
    with pytest.raises(BenchmarkError, match="level"):
        parse(Regression, {"level": level, "train": {}}, "regression.yaml")


def test_a_suite_without_trainings_and_a_skipped_data_set_are_told(project: paths.SuitePaths) -> None:
    part = retrain(project, parse(Regression, {"train": {}}, "test"))
    assert [left.what for left in part.left] == ["trainings of default"]
    mark = Skipped("made", "needs credentials", "Ask for them.")
    write_columns(paths.biased_pack(CELL.task), {}, mark.attributes())
    part = retrain(project, CHOSEN)
    assert [(left.what, left.why) for left in part.left] == [(CELL.key, "skipped: needs credentials")]


def predictions(right: dict[str, list[int]], seeds: list[int], data: str = "", count: int = 10) -> Predictions:
    """So many of ``count`` images right, seed by seed, on each variant: the first ones."""
    names, label = np.array([f"image_{n}" for n in range(count)]), np.arange(count) % 2
    logits = {}
    for variant, counts in right.items():
        said = np.where(np.arange(count) < np.array(counts)[:, None], label, 1 - label)
        logits[variant] = np.eye(2, dtype=np.float32)[said]
    images = Tested(names, names, np.full(count, "made"), label)
    none = {variant: np.array([], dtype=np.int64) for variant in logits}
    return Predictions(np.array(seeds), dict.fromkeys(logits, images), logits, subset=none, attributes={"data": data})


def test_values_and_bands_by_hand() -> None:
    stored = predictions({"iid": [10, 10, 10], "deceiving": [2, 3, 4]}, [4, 5, 6])
    new = predictions({"iid": [9], "deceiving": [9]}, [5])
    iid, deceiving, gap = values_of(stored, 1, new, 0.95)
    assert (iid.name, iid.stored, iid.new, iid.band.basis) == ("iid accuracy", 1.0, 0.9, "test sample")
    # Wilson for 10 of 10: 0.7225; for 9 of 10: up to 0.9821; so down to 1 - sqrt(0.2775² + 0.0821²)
    assert iid.band.low == pytest.approx(1 - np.hypot(0.2775, 0.0821), abs=2e-4)
    # s = 0.1, so the half width is 4.302653 * 0.1 * sqrt(2) = 0.6085
    assert (deceiving.stored, deceiving.new) == (0.3, 0.9)
    assert (deceiving.band.low, deceiving.band.high) == pytest.approx((0.3 - 0.60849, 0.3 + 0.60849), abs=1e-5)
    assert (gap.name, gap.stored, gap.new) == ("deceiving accuracy_gap", pytest.approx(0.7), pytest.approx(0.0))
    assert (gap.band.low, gap.band.basis) == (pytest.approx(0.7 - 0.60849, abs=1e-5), "training")
    assert [value.band.holds(value.new) for value in (iid, deceiving, gap)] == [True, True, False]


def compared(suite: paths.SuitePaths, stored: Predictions, new: Predictions, **job) -> Part:
    """What is said of a training whose predictions are put there by hand."""
    (planned,) = jobs_of(suite, CELL, (5,), Path("again"))
    planned = replace(planned, pack_sha256="aa", **job)
    stored.write(suite.predictions(CELL))
    new.write(planned.folder / "predictions.npz")
    write_json(planned.folder / "run.json", {})
    part = Part("default", "")
    compare_job(suite, planned, 0.95, part)
    return part


def test_a_value_outside_of_its_band_is_told_with_the_band(project: paths.SuitePaths) -> None:
    stored = predictions({"iid": [900, 905, 910]}, [4, 5, 6], "aa", count=1000)
    # s = 0.005, half width 4.302653 * 0.005 * sqrt(2) = 0.0304
    inside = compared(project, stored, predictions({"iid": [935]}, [5], "aa", count=1000))
    assert (inside.compared, inside.moved) == (1, [])
    assert inside.notes == [
        "made-corner-rrr seed 5: logits differ from the recorded ones; iid accuracy 0.9050 → 0.9350"
    ]
    (moved,) = compared(project, stored, predictions({"iid": [936]}, [5], "aa", count=1000)).moved
    assert (moved.where, moved.name) == ("retrained", "made-corner-rrr seed 5 iid accuracy")
    assert (moved.recorded, moved.found, moved.allowed) == ("0.9050", "0.9360", "0.8746 to 0.9354 (training)")


def test_one_value_of_several_outside_of_its_band_is_told_and_two_have_moved(project: paths.SuitePaths) -> None:
    stored = predictions(
        {"iid": [900, 905, 910], "ood": [850, 900, 950], "deceiving": [905, 900, 910]}, [4, 5, 6], "aa", count=1000
    )
    # iid: 0.905 ± 0.0304; ood: 0.9 ± 0.304; its gap: s = 0.045, 0.005 ± 0.274; deceiving: 0.9 ± 0.0304;
    # its gap: -0.005, 0.005, 0: s = 0.005, 0.005 ± 0.0304
    lucky = predictions({"iid": [930], "ood": [930], "deceiving": [931]}, [5], "aa", count=1000)
    part = compared(project, stored, lucky)
    assert (part.compared, part.moved) == (5, [])
    assert part.notes[0].startswith(
        "outside, as luck may have it: retrained: made-corner-rrr seed 5 deceiving accuracy: value: "
    )
    lost = predictions({"iid": [905], "ood": [900], "deceiving": [100]}, [5], "aa", count=1000)
    part = compared(project, stored, lost)
    assert [one.name.split(" ", 3)[3] for one in part.moved] == ["deceiving accuracy", "deceiving accuracy_gap"]


def test_the_more_models_are_trained_the_wider_is_each_band(
    project: paths.SuitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []
    monkeypatch.setattr(again, "train_seeds", lambda jobs, *rest, **more: None)
    monkeypatch.setattr(again, "compare_job", lambda suite, job, level, part: levels.append(level))
    project.params.write_text("matrix: {dataset: [made], bias: [corner], method: [rrr]}\nseeds: [0, 1]\n")
    retrain(project, parse(Regression, {"train": {"default": {CELL.key: [0, 1]}}}, "test"))
    assert levels == pytest.approx([0.975, 0.975])


@pytest.mark.parametrize("spread", [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0)])
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_luck_alone_fails_three_models_in_about_1_of_20_runs_at_most(spread: tuple[float, ...], shared: float) -> None:
    """A million draws' worth of trainings whose variants go together more or less; docs/regression.md quotes it."""
    rng, runs, models, seeds = np.random.default_rng(0), 50_000, 3, 3
    half = student.ppf(1 - 0.05 / models / 2, seeds - 1) * np.sqrt(2)
    failed, one_outside = np.zeros(runs, bool), np.zeros(runs, bool)
    for _ in range(models):
        own, common = rng.normal(size=(runs, seeds + 1, 3)), rng.normal(size=(runs, seeds + 1, 1))
        value = (np.sqrt(1 - shared) * own + np.sqrt(shared) * common) * spread
        value = np.concatenate([value, value[..., :1] - value[..., 1:]], axis=2)
        outside = np.abs(value[:, seeds] - value[:, 0]) > half * value[:, :seeds].std(axis=1, ddof=1)
        failed |= outside.sum(axis=1) >= again.OUTSIDE
        one_outside |= outside.any(axis=1)
    assert 0.005 < failed.mean() < 0.057
    assert one_outside.mean() > 0.09, "which is why one is not enough"


def test_other_data_and_other_images_are_told_as_such(project: paths.SuitePaths) -> None:
    stored = predictions({"iid": [9]}, [5], "bb")
    (moved,) = compared(project, stored, predictions({"iid": [9]}, [5], "aa")).moved
    assert (moved.column, moved.recorded, moved.found) == ("data", "bb", "aa")
    part = compared(project, predictions({"iid": [9]}, [5], "aa"), predictions({"iid": [9]}, [5], "aa", count=12))
    assert [(one.column, one.found) for one in part.moved] == [("test images", "iid")]
    assert part.compared == 0
    with pytest.raises(BenchmarkError, match=r"lack the seed; got 5; expected one of 4, 6"):
        compared(project, predictions({"iid": [9, 9]}, [4, 6], "aa"), predictions({"iid": [9]}, [5], "aa"))


@pytest.mark.slow
def test_the_suites_isnet_without_its_heatmap_loss_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed predictions of three seeds against a training with one weight changed: about a minute."""
    if not (ROOT / paths.biased_pack("mnist5k-corner")).is_file():
        pytest.skip("needs the pack: dvc repro inject@mnist5k-corner")
    for name in ("data", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "pipelines/configs", tmp_path / "pipelines/configs")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    suite = paths.SuitePaths()
    file = suite.method_yaml("isnet")
    text = file.read_text()
    assert "heatmap_share: 0.791" in text
    file.write_text(text.replace("heatmap_share: 0.791", "heatmap_share: 0.0"))
    part = retrain(suite, parse(Regression, {"train": {"default": {"mnist5k-corner-isnet": [0]}}}, "test"))
    assert "mnist5k-corner-isnet seed 0 deceiving accuracy" in {moved.name for moved in part.moved}
