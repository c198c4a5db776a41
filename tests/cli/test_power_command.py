"""The command as a user types it, on predictions whose variances are known, and on those of the default suite."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmark import paths
from benchmark.cell import Cell
from benchmark.cli.main import main
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown
from benchmark.stats.compare import paired_difference
from benchmark.stats.pilots import pilot_between

ROOT = Path(__file__).resolve().parents[2]
SUITE = paths.SuitePaths("toy")
TASK = "toy-corner"
IMAGES, SEEDS = 300, 4
CALL = ["power", "toy", "--methods", "isnet", "erm", "--draws", "1000"]


def answers(right: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Logits ``[S, N, 2]`` of models that have exactly these images right."""
    called = np.where(right, label, 1 - label)
    return (5.0 * np.eye(2)[called]).astype(np.float32)


def method(rate: float, seed: int, *, seeds: int = SEEDS, images: int = IMAGES, **parts: object) -> Predictions:
    """Models that have an image right by its difficulty, shared by all methods, and a skill of each training."""
    difficulty = np.random.default_rng(0).normal(size=images)
    rng = np.random.default_rng(seed)
    label = np.arange(images) % 2
    name = np.array([f"image_{i}" for i in range(images)])
    tested = Shown(id=name, unit=name, source=np.full(images, "toy"), label=label)

    def right() -> np.ndarray:
        return difficulty + rng.normal(0, 0.15, (seeds, 1)) + rng.normal(0, 0.5, (seeds, images)) < rate

    return Predictions(
        seeds=np.arange(seeds),
        tested={"iid": tested, "deceiving": tested},
        logits={variant: answers(right(), label) for variant in ("iid", "deceiving")},
        **parts,  # type: ignore[arg-type]
    )


def scored(seed: int, holes: tuple[int, ...]) -> Predictions:
    """With a metric of single images that some images do not define."""
    values = np.random.default_rng(seed).random((SEEDS, 50)).astype(np.float32)
    values[:, holes] = np.nan
    subset = {variant: np.arange(50) * 3 for variant in ("iid", "deceiving")}
    return method(0.5, seed, subset=subset, image_scores={("background_relevance_mass", "deceiving"): values})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, rate, seed in (("isnet", 0.6, 1), ("erm", 0.4, 2)):
        put(name, method(rate, seed))
    return tmp_path


def put(name: str, stored: Predictions, task: str = TASK) -> Cell:
    cell = Cell(*task.split("-"), name)
    target = SUITE.predictions(cell)
    target.parent.mkdir(parents=True, exist_ok=True)
    stored.write(target)
    return cell


def said(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main([*CALL, *more]) == 0
    return capsys.readouterr().out


def number(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1])


def test_the_difference_and_its_standard_error_are_those_of_the_images(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, "--delta", "0.05")
    ours, theirs = method(0.6, 1), method(0.4, 2)
    label = ours.tested["iid"].label
    right = [p.logits["deceiving"].argmax(2) == label for p in (ours, theirs)]
    per_seed = right[0].mean(1) - right[1].mean(1)
    per_image = right[0].mean(0) - right[1].mean(0)
    # Without the bootstrap: the variance of a mean of images is that of one image over their number.
    of_units, of_seeds = per_image.var() / IMAGES, per_seed.var(ddof=1) / SEEDS
    assert told.startswith("toy-corner, deceiving, accuracy: isnet minus erm\n")
    assert f"pilot: {IMAGES} units, {SEEDS} seeds" in told
    assert number(told, r"difference +\+([\d.]+),") == pytest.approx(per_seed.mean(), abs=5e-4)
    # 1000 draws tell a variance to 4.5 %.
    assert number(told, r"variance of units +([\d.e-]+),") == pytest.approx(of_units, rel=0.18)
    assert number(told, r"variance of seeds +([\d.e-]+),") == pytest.approx(of_seeds, rel=0.01)
    assert number(told, r"standard error ([\d.]+)") == pytest.approx(math.sqrt(of_units + of_seeds), rel=0.1)


def test_a_small_difference_is_warned_of_and_a_large_one_is_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, large = said(capsys, "--delta", "0.005"), said(capsys, "--delta", "0.5")
    assert "warning: this table cannot separate the methods by 0.005" in small
    assert "warning" not in large
    assert number(small, r"find a difference of 0.005: ([\d.]+)") < 0.2
    assert number(large, r"find a difference of 0.5: ([\d.]+)") > 0.99


def test_the_smallest_difference_has_just_the_power(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    least = number(said(capsys, "--delta", "0.05", "--power", "0.9"), r"with power 0.9: ([\d.]+)")
    assert number(said(capsys, "--delta", str(least)), r"difference of [\d.]+: ([\d.]+)") == pytest.approx(
        0.9, abs=0.02
    )


def test_the_table_shows_the_design_at_hand_and_marks_what_reaches_the_power(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, "--delta", "0.06")
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines() if re.match(r" +(units|\d+) +\d", line)}
    assert rows.pop("units") == ["2", "3", "4", "5", "10", "20", "seeds"]
    assert list(rows) == ["75", "150", "300", "600", "1200", "2400"]
    assert rows["300"][2].rstrip("*") == f"{number(told, r'difference of 0.06: ([0-9.]+)'):.2f}"
    cells = [cell for row in rows.values() for cell in row]
    assert {cell.endswith("*") for cell in cells if float(cell.rstrip("*")) > 0.805} == {True}
    assert {cell.endswith("*") for cell in cells if float(cell.rstrip("*")) < 0.795} == {False}


def test_the_cheapest_designs_trade_seeds_for_units(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "--delta", "0.06")
    designs = [(int(s), int(u.replace(",", ""))) for s, u in re.findall(r" +(\d+) seeds, ([\d,]+) units$", told, re.M)]
    assert len(designs) > 1
    assert designs == sorted(designs)
    assert [units for _, units in designs] == sorted((units for _, units in designs), reverse=True)
    assert f"with fewer than {designs[0][0]} seeds no number of units is enough" in told


def test_what_cannot_be_reached_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no design with up to 30 seeds reaches power 0.8" in said(capsys, "--delta", "0.001")


def test_a_stricter_level_takes_power(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = [number(said(capsys, "--delta", "0.06", "--alpha", a), r"0.06: ([\d.]+)") for a in ("0.05", "0.005")]
    assert found[0] > found[1] + 0.1


def test_the_same_call_prints_the_same_and_another_number_of_draws_hardly_another(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again, other = (said(capsys, "--delta", "0.06", *more) for more in ((), (), ("--draws", "999")))
    assert first == again != other


def test_a_gap_is_paired_draw_by_draw() -> None:
    ours, theirs = method(0.6, 1), method(0.4, 2)
    pilot, metric = pilot_between(ours, theirs, "deceiving", "accuracy_gap", task=TASK, draws=4000)
    label = ours.tested["iid"].label
    right = {v: [p.logits[v].argmax(2) == label for p in (ours, theirs)] for v in ("iid", "deceiving")}
    gap = [a.astype(float) - b for a, b in zip(right["iid"], right["deceiving"], strict=True)]
    per_image = (gap[0] - gap[1]).mean(0)
    assert (metric.low, metric.high) == (-1, 1)
    assert pilot.difference == pytest.approx(per_image.mean())
    assert pilot.of_units == pytest.approx(per_image.var() / IMAGES, rel=0.1)
    assert pilot.of_seeds == pytest.approx((gap[0] - gap[1]).mean(1).var(ddof=1))


def test_metrics_of_images_are_compared_where_both_define_them() -> None:
    ours, theirs = scored(3, holes=(0, 1, 2)), scored(4, holes=(2, 3))
    pilot, _ = pilot_between(ours, theirs, "deceiving", "background_relevance_mass", task=TASK)
    key = "background_relevance_mass", "deceiving"
    difference = (ours.image_scores[key] - theirs.image_scores[key])[:, 4:]
    assert pilot.n_units == 46
    assert pilot.difference == pytest.approx(difference.mean(), abs=1e-6)
    assert pilot.of_seeds == pytest.approx(difference.mean(1).var(ddof=1), rel=1e-4)


def test_images_of_one_patient_count_as_one_unit() -> None:
    def grouped(stored: Predictions) -> Predictions:
        first = stored.tested["iid"]
        unit = np.array([f"patient_{i // 6}" for i in range(IMAGES)])
        tested = Shown(id=first.id, unit=unit, source=first.source, label=first.label)
        return Predictions(seeds=stored.seeds, tested=dict.fromkeys(stored.tested, tested), logits=stored.logits)

    pair = grouped(method(0.6, 1)), grouped(method(0.4, 2))
    pilot, _ = pilot_between(*pair, "deceiving", "accuracy", task=TASK, draws=4000)
    right = [p.logits["deceiving"].argmax(2) == p.tested["iid"].label for p in pair]
    per_patient = (right[0].mean(0) - right[1].mean(0)).reshape(50, 6).mean(1)
    assert pilot.n_units == 50
    assert pilot.of_units == pytest.approx(per_patient.var() / 50, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["toy", "--methods", "isnt", "erm"],
            "unknown method on toy-corner; got 'isnt'; expected did you mean 'isnet'?",
        ),
        (["toy", "--methods", "erm", "erm"], "--methods; got 'erm erm'; expected two different methods"),
        (
            ["toy", "--methods", "isnet", "erm", "--variant", "ood"],
            "unknown variant; got 'ood'; expected one of deceiv",
        ),
        (["toy", "--methods", "isnet", "erm", "--metric", "accurcy"], "unknown metric on deceiving; got 'accurcy'"),
        (["toy", "--methods", "isnet", "erm", "--metric", "accurcy"], "did you mean 'accuracy'"),
        (["toy", "--methods", "isnet", "erm", "--metric", "accuracy_gap", "--variant", "iid"], "unknown metric on iid"),
        (["toy", "--methods", "isnet", "erm", "--delta", "0"], "--delta; got 0.0; expected above 0 and at most 1"),
        (["toy", "--methods", "isnet", "erm", "--delta", "1.5"], "--delta; got 1.5"),
        (["toy", "--methods", "isnet", "erm", "--power", "80"], "power to reach; got 80.0"),
        (["toy", "--methods", "isnet", "erm", "--alpha", "2"], "alpha between 0 and 1"),
        (["toy", "--methods", "isnet", "erm", "--draws", "1"], "--draws; got 1; expected 2 or more"),
        (["toy", "--methods", "isnet", "erm", "--task", "toy-stripe"], "unknown task; got 'toy-stripe'"),
        (
            ["tiy", "--methods", "isnet", "erm"],
            "unknown suite with predictions; got 'tiy'; expected did you mean 'toy'?",
        ),
    ],
)
def test_faults_are_told_in_one_line(
    arguments: list[str], told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    delta = [] if "--delta" in arguments else ["--delta", "0.05"]
    assert main(["power", *arguments, *delta]) == 1
    got = capsys.readouterr()
    assert got.err.startswith("error: ") and told in got.err
    assert got.out == "" and len(got.err.splitlines()) == 1


def test_several_tasks_have_to_be_told_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put("erm", method(0.4, 2), "toy-tint")
    assert main([*CALL, "--delta", "0.05"]) == 1
    assert "--task is missing; expected one of toy-corner, toy-tint" in capsys.readouterr().err
    assert said(capsys, "--delta", "0.05", "--task", "toy-corner").startswith("toy-corner, deceiving")


def test_one_seed_cannot_tell_the_variance_of_seeds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("isnet", 1), ("erm", 2)):
        put(name, method(0.5, seed, seeds=1))
    assert main([*CALL, "--delta", "0.05"]) == 1
    assert "seed variance of a pilot with one seed is not known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (method(0.4, 2, seeds=3), "seeds of the two methods; got '[0, 1, 2, 3] and [0, 1, 2]'"),
        (method(0.4, 2, images=280), "test images of the two methods differ on iid"),
        (method(0.6, 1), "the difference of a pilot has no variance"),
    ],
)
def test_what_is_not_a_pair_is_refused(
    other: Predictions, told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put("erm", other)
    assert main([*CALL, "--delta", "0.05"]) == 1
    assert told in capsys.readouterr().err


def test_a_cell_that_was_skipped_says_why(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = SUITE.facts(Cell("toy", "corner", "erm"))
    facts.parent.mkdir(parents=True)
    facts.write_text(json.dumps({"skipped": {"reason": "needs credentials", "do": "Register there."}}))
    assert main([*CALL, "--delta", "0.05"]) == 1
    assert "cell toy-corner-erm was skipped; got 'needs credentials'. Register there." in capsys.readouterr().err


def test_the_default_suites_own_predictions_are_a_pilot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its standard error is that of the paired difference from the same stored files."""
    names = ["mnist5k-corner-isnet_path.npz", "mnist5k-corner-erm.npz"]
    files = [ROOT / "results/default/predictions" / name for name in names]
    if not all(file.is_file() for file in files):
        pytest.skip("the default suite has no stored predictions")
    target = tmp_path / "results/default/predictions"
    target.mkdir(parents=True)
    for file in files:
        shutil.copy(file, target)
    monkeypatch.chdir(tmp_path)
    assert main(["power", "default", "--methods", "isnet_path", "erm", "--delta", "0.02"]) == 0
    told = capsys.readouterr().out
    ours, theirs = (Predictions.read(file) for file in files)
    right = [p.logits["deceiving"].argmax(2) == p.tested["deceiving"].label for p in (ours, theirs)]
    images = right[0].shape[1]
    counts = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), size=2000) / images
    found = paired_difference(
        right[0].mean(1), counts @ right[0].mean(0), right[1].mean(1), counts @ right[1].mean(0), images
    )
    # Other draws, and not within strata: 5 % of the part of the units.
    assert number(told, r"standard error ([\d.]+)") == pytest.approx(found.interval.se, rel=0.06)
