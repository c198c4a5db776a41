import csv
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from benchmark.api import SCORE_COLUMNS, Score
from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.summary import SUMMARY_COLUMNS, SummaryRow, summarise
from benchmark.tables import read_csv, write_csv

N, K, SEEDS = 90, 3, 3
LABEL = np.arange(N) % K
ID = np.array([f"image_{i:03d}" for i in range(N)])
BRM, LRP = "background_relevance_mass", "background_relevance_mass_lrp"
PREDICTED = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "macro_auroc_hand_till", "macro_auprc")
PREDICTED = (*PREDICTED, "ece", "brier")
STRENGTH = {"iid": 2.5, "ood": 1.5, "deceiving": 0.5}


def images(**changes):
    return Shown(**{"id": ID, "unit": ID, "source": np.full(len(ID), "here"), "label": LABEL} | changes)


def stored(method, *, shown=None, **changes):
    """Logits that know the label less from variant to variant; errors are partly shared between methods.

    All variants show the same images: ``shown``, by default each a unit of its own.
    """
    shared = np.random.default_rng(0).normal(size=(N, K))
    rng = np.random.default_rng(sum(map(ord, method)))
    logits = {
        variant: (shared + rng.normal(0, 0.7, (SEEDS, N, K)) + strength * np.eye(K)[LABEL]).astype(np.float32)
        for variant, strength in STRENGTH.items()
    }
    scores = {(name, v): rng.random((SEEDS, 30)).astype(np.float32) for name in (BRM, LRP) for v in ("iid", "ood")}
    content = {
        "seeds": np.arange(SEEDS),
        "logits": logits,
        "image_scores": scores,
        "heatmap_loss": None if method == "erm" else np.array([0.2, 0.3, 0.4]),
    }
    content |= changes
    variants = content["logits"]
    content.setdefault("tested", dict.fromkeys(variants, images() if shown is None else shown))
    if not isinstance(rows := content.get("subset", np.arange(0, N, 3)), dict):
        content["subset"] = dict.fromkeys(variants, rows)
    return Predictions(**content)


def cells(*methods, task=("mnist5k", "corner"), **changes):
    return {Cell(*task, method): stored(method, **changes) for method in methods}


def pick(rows, **wanted):
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert len(found) == 1, wanted
    return found[0]


@pytest.fixture(scope="module")
def result():
    predictions = cells("erm", "isnet", "rrr")
    return (predictions, *summarise(predictions, draws=500)[:2])


def test_every_row_is_there_once(result):
    _, scores, rows = result
    of_logits = [(v, m) for v in STRENGTH for m in PREDICTED]
    gaps = [(v, f"{m}_gap") for v, m in of_logits if v != "iid"]
    images = [(v, m) for v in ("iid", "ood") for m in (BRM, LRP, f"{BRM}_if_correct")]
    expected = {(method, *key) for method in ("erm", "isnet", "rrr") for key in of_logits + gaps + images}
    expected |= {(method, "iid", "heatmap_loss") for method in ("isnet", "rrr")}
    assert len(rows) == len(expected)
    assert {(row.method, row.variant, row.metric) for row in rows} == expected
    seen = {(row.method, row.variant, row.metric, row.seed) for row in scores}
    assert seen == {(*key, seed) for key in expected for seed in range(SEEDS)}
    assert len(scores) == len(seen)


def test_families(result):
    _, scores, rows = result
    for row in [*scores, *rows]:
        family = "attribution" if row.metric.startswith(BRM) else "generalization"
        assert row.family == ("guard" if row.metric == "heatmap_loss" else family)


def test_values_are_those_of_other_tools(result):
    predictions, scores, rows = result
    logits = predictions[Cell("mnist5k", "corner", "isnet")].logits
    shares = {v: (logits[v].argmax(2) == LABEL).mean(1) for v in STRENGTH}
    for seed in range(SEEDS):
        one = {"method": "isnet", "seed": seed, "variant": "ood"}
        assert pick(scores, **one, metric="accuracy").value == pytest.approx(shares["ood"][seed])
        lost = shares["iid"][seed] - shares["ood"][seed]
        assert pick(scores, **one, metric="accuracy_gap").value == pytest.approx(lost)
        f1 = f1_score(LABEL, logits["ood"][seed].argmax(1), average="macro")
        assert pick(scores, **one, metric="macro_f1").value == pytest.approx(f1)
    row = pick(rows, method="isnet", variant="deceiving", metric="accuracy")
    assert row.value == pytest.approx(shares["deceiving"].mean())
    assert (row.n_units, row.n_seeds) == (N, SEEDS)
    gap = pick(rows, method="isnet", variant="deceiving", metric="accuracy_gap")
    assert gap.value == pytest.approx(shares["iid"].mean() - shares["deceiving"].mean())


def rule_20(of_units, n_units, of_seeds, n_seeds):
    """Degrees of freedom."""
    return (of_units + of_seeds) / (of_units / (n_units - 1) + of_seeds / (n_seeds - 1))


def test_interval_of_accuracy_by_the_formula(result):
    predictions, _, rows = result
    right = predictions[Cell("mnist5k", "corner", "rrr")].logits["ood"].argmax(2) == LABEL
    of_units = right.mean(0).var() / N
    of_seeds = right.mean(1).var(ddof=1) / SEEDS
    df = rule_20(of_units, N, of_seeds, SEEDS)
    half = stats.t.ppf(0.975, df) * math.sqrt(of_units + of_seeds)
    row = pick(rows, method="rrr", variant="ood", metric="accuracy")
    assert row.low < row.value < row.high
    # 500 draws: the bootstrap's standard error has a relative error of 3 %.
    assert (row.high - row.low) / 2 == pytest.approx(half, rel=0.1)


def test_difference_is_paired_by_image_and_seed(result):
    predictions, _, rows = result
    right = {m: predictions[Cell("mnist5k", "corner", m)].logits["ood"].argmax(2) == LABEL for m in ("erm", "isnet")}
    per_image = right["isnet"].astype(float) - right["erm"]
    of_units, of_seeds = per_image.mean(0).var() / N, per_image.mean(1).var(ddof=1) / SEEDS
    df = rule_20(of_units, N, of_seeds, SEEDS)
    half = stats.t.ppf(0.975, df) * math.sqrt(of_units + of_seeds)
    row = pick(rows, method="isnet", variant="ood", metric="accuracy")
    assert row.diff == pytest.approx(per_image.mean())
    assert (row.diff_high - row.diff_low) / 2 == pytest.approx(half, rel=0.1)


def test_only_comparable_rows_have_differences(result):
    _, _, rows = result
    for row in rows:
        without = row.method == "erm" or row.metric == "heatmap_loss"
        assert math.isnan(row.diff) == without
        assert math.isnan(row.p_holm) == without
        assert math.isnan(row.diff_low) == without


def test_holm_family_is_the_methods_of_one_task_variant_and_metric(result):
    predictions, _, rows = result
    key = {"variant": "ood", "metric": "accuracy"}
    alone = {}
    for method in ("isnet", "rrr"):
        pair = {cell: value for cell, value in predictions.items() if cell.method in ("erm", method)}
        alone[method] = pick(summarise(pair, draws=500)[1], **key, method=method).p_holm
    small, large = sorted(alone, key=alone.get)
    together = {method: pick(rows, **key, method=method).p_holm for method in alone}
    assert together[small] == pytest.approx(min(1, 2 * alone[small]))
    assert together[large] == pytest.approx(max(together[small], alone[large]))


def test_heatmap_loss_has_the_t_interval_of_its_seeds(result):
    row = pick(result[2], method="isnet", metric="heatmap_loss")
    low, high = stats.t.interval(0.95, 2, 0.3, stats.sem([0.2, 0.3, 0.4]))
    assert (row.value, row.low, row.high) == (pytest.approx(0.3), pytest.approx(low), pytest.approx(high))
    assert (row.variant, row.n_units, row.n_seeds) == ("iid", 0, 3)


def test_undefined_images_are_left_out_and_counted():
    values = np.full((SEEDS, 4), 0.5, np.float32)
    values[0], values[1] = [0.1, 0.3, np.nan, np.nan], [0.2, 0.4, 0.6, np.nan]
    undefined = np.full((SEEDS, 4), np.nan, np.float32)
    changes = {"subset": np.array([0, 1, 2, 3]), "shown": images(unit=np.array([ID[0], ID[0], *ID[2:]]))}
    predictions = cells("erm", image_scores={(BRM, "iid"): values, (LRP, "iid"): undefined}, **changes)
    scores, rows, *_ = summarise(predictions, draws=400)
    got = [pick(scores, metric=BRM, seed=seed) for seed in range(SEEDS)]
    assert [row.value for row in got] == pytest.approx([0.2, 0.4, 0.5])
    assert [row.n_units for row in got] == [1, 2, 3]
    nothing = pick(rows, metric=LRP)
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.low)
    assert nothing.n_units == 0


def test_attribution_is_compared_on_images_that_both_sides_define():
    ours, theirs = (np.random.default_rng(i).random((SEEDS, 30)).astype(np.float32) for i in (1, 2))
    ours[:, 0], theirs[:, 1] = np.nan, np.nan
    predictions = {
        Cell("d", "b", "erm"): stored("erm", image_scores={(BRM, "iid"): theirs}),
        Cell("d", "b", "isnet"): stored("isnet", image_scores={(BRM, "iid"): ours}),
    }
    row = pick(summarise(predictions, draws=200)[1], method="isnet", metric=BRM)
    assert row.diff == pytest.approx(np.nanmean(ours - theirs), abs=1e-7)
    assert row.value == pytest.approx(np.nanmean(ours), abs=1e-7)
    assert row.n_units == 29


def test_identical_methods_differ_by_nothing():
    predictions = cells("erm")
    predictions[Cell("mnist5k", "corner", "isnet")] = stored("erm")
    row = pick(summarise(predictions, draws=50)[1], method="isnet", variant="ood", metric="accuracy")
    assert row.diff == 0
    assert math.isnan(row.diff_low)
    assert math.isnan(row.p_holm)


def test_all_right_gets_wilson_and_an_undefined_gap():
    perfect = np.broadcast_to(9 * np.eye(K, dtype=np.float32)[LABEL], (SEEDS, N, K))
    _, rows, *_ = summarise(cells("erm", logits={"iid": perfect, "ood": perfect}), draws=50)
    row = pick(rows, variant="ood", metric="accuracy")
    assert (row.value, row.high) == (1, 1)
    assert row.low == pytest.approx(N / (N + 1.959964**2), abs=1e-6)
    gap = pick(rows, variant="ood", metric="accuracy_gap")
    assert gap.value == 0
    assert math.isnan(gap.low)


def test_a_task_without_reference_has_no_differences():
    _, rows, *_ = summarise(cells("isnet", "rrr"), draws=50)
    assert all(math.isnan(row.diff) for row in rows)
    other = pick(summarise(cells("isnet", "rrr"), reference="isnet", draws=50)[1],
                 method="rrr", variant="ood", metric="macro_f1")  # fmt: skip
    assert math.isfinite(other.diff)


def test_tasks_do_not_touch_each_other_and_keep_their_order():
    first, second = cells("isnet", "erm"), cells("erm", "isnet", task=("other", "corner"))
    mixed = dict(pair for pairs in zip(first.items(), second.items(), strict=True) for pair in pairs)
    scores, rows, *_ = summarise(mixed, draws=50)
    for table, column in ((scores, 0), (rows, 1)):
        assert list(dict.fromkeys(Cell(r.dataset, r.bias, r.method) for r in table)) == list(mixed)
        alone = summarise(second, draws=50)[column]
        assert repr([row for row in table if row.dataset == "other"]) == repr(alone)


def test_the_seed_moves_bounds_only():
    a, again, b = (summarise(cells("erm", "isnet"), draws=50, seed=seed)[1] for seed in (0, 0, 1))
    assert repr(a) == repr(again)
    assert [row.value for row in a] == [row.value for row in b]
    assert [row.low for row in a] != [row.low for row in b]


def test_strata_keep_the_number_of_images_of_each_class():
    # All of class 0 right, all others wrong: with strata, accuracy is the same in every draw.
    logits = {"iid": np.broadcast_to(np.eye(K, dtype=np.float32)[0], (SEEDS, N, K))}
    plain = {"logits": logits, "image_scores": {}}
    free = pick(summarise(cells("erm", **plain), draws=400)[1], metric="accuracy")
    stratified = cells("erm", **plain, attributes={"strata": "label"})
    fixed = pick(summarise(stratified, draws=400)[1], metric="accuracy")
    assert free.value == fixed.value == pytest.approx(1 / 3)
    half = stats.t.ppf(0.975, rule_20(1, N, 0, SEEDS)) * math.sqrt(2 / 9 / N)
    assert free.high - free.value == pytest.approx(half, rel=0.12)
    # Wilson's interval of 30 of 90: (p + z²/2n ± z √(p (1 - p) / n + z²/4n²)) / (1 + z²/n), z² = 3.841459
    assert (fixed.low, fixed.high) == (pytest.approx(0.244535, abs=1e-5), pytest.approx(0.435777, abs=1e-5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"shown": images(id=np.char.add(ID, "x"))},
            "id of iid of cell mnist5k-corner-isnet differs from mnist5k-corner",
        ),
        ({"shown": images(unit=ID[::-1])}, "unit of iid of cell"),
        ({"shown": images(source=ID)}, "source of iid of cell"),
        ({"shown": images(label=LABEL[::-1])}, "label of iid of cell"),
        ({"logits": {"iid": np.zeros((SEEDS, N, K))}, "image_scores": {}}, "variants of cell"),
        ({"seeds": np.array([0, 1, 3])}, "seeds of cell"),
        ({"seeds": np.array([0, 2, 1])}, "seeds of cell"),
        ({"subset": np.arange(30)}, "subset of iid of cell"),
        ({"shown": images(unit=np.full(N, "one"))}, "number of test units of mnist5k-corner-isnet, iid; got 1"),
        ({"attributes": {"strata": "label"}}, "attribute 'strata'"),
        ({"attributes": {"strata": "source"}}, "attribute 'strata'"),
        ({"logits": {"ood": np.zeros((SEEDS, N, K))}, "image_scores": {}}, "lacks the variant 'iid'"),
        ({"image_scores": {("relevance", "iid"): np.zeros((SEEDS, 30))}}, "unknown metric; got 'relevance'"),
    ],
)
def test_faults_are_told(changes, message):
    with pytest.raises(BenchmarkError, match=message):
        summarise(cells("erm") | cells("isnet", **changes), draws=20)


# --- a variant that shows other images --------------------------------------------------------------

HERE = Shown(["a", "b", "c", "d"], ["p", "q", "r", "s"], ["here"] * 4, [0, 1, 0, 1])
ABROAD = Shown(["v", "w", "x", "y", "z"], ["p", "p", "t", "t", "u"], ["abroad"] * 5, [0, 1, 0, 1, 0])
"""Three units, of two, two and one image; unit p is in both sets."""

VOTES = {
    "erm": {"iid": ([0, 1, 0, 1], [0, 1, 0, 0]), "external": ([0, 0, 0, 0, 0], [0, 0, 1, 1, 1])},
    "isnet": {"iid": ([0, 1, 1, 1], [0, 1, 0, 0]), "external": ([0, 1, 0, 1, 1], [0, 0, 0, 1, 0])},
}
"""The classes that each seed votes for."""


def hospitals(method):
    logits = {variant: 4 * np.eye(2)[np.array(votes)] for variant, votes in VOTES[method].items()}
    return Predictions(seeds=[0, 1], tested={"iid": HERE, "external": ABROAD}, logits=logits)


def right(method, variant):
    """``[S, N]`` whether a vote is the label."""
    return (np.array(VOTES[method][variant]) == (HERE if variant == "iid" else ABROAD).label).astype(float)


@pytest.fixture(scope="module")
def elsewhere():
    return summarise({Cell("lungs", "source", method): hospitals(method) for method in VOTES}, draws=4000)


def share_variance(value, unit):
    """Of a mean over images when as many units as there are are drawn: all draws, listed."""
    names = sorted(set(unit.tolist()))
    total, size = (np.array([of[unit == name].sum() for name in names]) for of in (value, np.ones(len(unit))))
    draws = np.array(list(itertools.product(range(len(names)), repeat=len(names))))
    return float(np.var(total[draws].sum(1) / size[draws].sum(1)))


def interval(values, of_units, n_units):
    """Rule 20 for two seeds."""
    value, of_seeds = np.mean(values), np.var(values, ddof=1) / 2
    df = rule_20(of_units, n_units, of_seeds, 2)
    half = stats.t.ppf(0.975, df) * math.sqrt(of_units + of_seeds)
    return value - half, value + half


def test_external_accuracy_is_of_its_own_images_and_units(elsewhere):
    scores, rows, *_ = elsewhere
    # labels 0 1 0 1 0: a seed that always says 0 has 3 of 5, one that says 0 0 1 1 1 has the first and the fourth
    one = {"method": "erm", "metric": "accuracy"}
    assert [pick(scores, **one, variant="external", seed=seed).value for seed in (0, 1)] == [0.6, 0.4]
    assert [pick(scores, **one, variant="iid", seed=seed).value for seed in (0, 1)] == [1, 0.75]
    assert [pick(rows, **one, variant=variant).n_units for variant in ("iid", "external")] == [4, 3]
    ours = pick(rows, method="isnet", metric="accuracy", variant="external")
    assert (ours.value, ours.diff) == (pytest.approx(0.8), pytest.approx(0.3))  # 4 of 5 twice


def test_the_interval_of_external_accuracy_draws_whole_units_of_its_own(elsewhere):
    hits = right("erm", "external")
    low, high = interval(hits.mean(1), share_variance(hits.mean(0), ABROAD.unit), 3)
    row = pick(elsewhere[1], method="erm", variant="external", metric="accuracy")
    # 4,000 draws: the bootstrap's standard error has a relative error of about 1 %
    assert (row.low, row.high) == (pytest.approx(max(0, low), abs=0.02), pytest.approx(min(1, high), abs=0.02))


def test_a_difference_on_external_images_is_paired(elsewhere):
    more = right("isnet", "external") - right("erm", "external")
    low, high = interval(more.mean(1), share_variance(more.mean(0), ABROAD.unit), 3)
    row = pick(elsewhere[1], method="isnet", variant="external", metric="accuracy")
    assert (row.diff_low, row.diff_high) == (pytest.approx(low, abs=0.02), pytest.approx(min(1, high), abs=0.02))
    assert 0 < row.p_holm < 1


def test_a_gap_between_different_images_adds_both_variances_and_pairs_the_seeds(elsewhere):
    here, abroad = right("erm", "iid"), right("erm", "external")
    of_units = share_variance(here.mean(0), HERE.unit) + share_variance(abroad.mean(0), ABROAD.unit)
    gaps = here.mean(1) - abroad.mean(1)
    assert gaps == pytest.approx([0.4, 0.35])
    low, high = interval(gaps, of_units, 3)
    row = pick(elsewhere[1], method="erm", variant="external", metric="accuracy_gap")
    assert (row.value, row.n_units) == (pytest.approx(0.375), 3)
    assert (row.low, row.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))


def test_other_images_move_no_draw_of_the_first(elsewhere):
    alone = {
        Cell("lungs", "source", method): Predictions(
            seeds=[0, 1], tested={"iid": HERE}, logits={"iid": hospitals(method).logits["iid"]}
        )
        for method in VOTES
    }
    assert repr([row for row in elsewhere[1] if row.variant == "iid"]) == repr(summarise(alone, draws=4000)[1])


def test_external_strata_are_those_of_its_own_labels():
    # class 0 right, class 1 wrong on images each a unit: within classes nothing varies, so the interval is Wilson's
    unit = np.char.add("unit", np.arange(5).astype(str))
    tested = {"iid": HERE, "external": Shown(ABROAD.id, unit, ABROAD.source, ABROAD.label)}
    logits = {"iid": np.zeros((1, 4, 2)), "external": np.zeros((1, 5, 2))}
    strata = Predictions(seeds=[0], tested=tested, logits=logits, attributes={"strata": "label"})
    _, rows, *_ = summarise({Cell("d", "b", "erm"): strata}, draws=50)
    row = pick(rows, variant="external", metric="accuracy")
    # Wilson's interval of 3 of 5, from statsmodels' formula by hand with z = 1.959964
    z, p, n = 1.959964, 0.6, 5
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    assert (row.low, row.high) == (pytest.approx(middle - half, abs=1e-6), pytest.approx(middle + half, abs=1e-6))


def test_tables_round_trip(result, tmp_path):
    _, scores, rows = result
    write_csv(tmp_path / "scores.csv", scores, SCORE_COLUMNS)
    write_csv(tmp_path / "summary.csv", rows, SUMMARY_COLUMNS)
    assert read_csv(tmp_path / "scores.csv", Score) == scores
    assert repr(read_csv(tmp_path / "summary.csv", SummaryRow)) == repr(rows)
    text = (tmp_path / "summary.csv").read_bytes().decode()
    assert text.splitlines()[0] == (
        "dataset,bias,method,variant,family,metric,value,low,high,n_units,n_seeds,diff,diff_low,diff_high,p_holm"
    )
    assert "\r" not in text
    assert "nan" not in text
    assert text.splitlines()[1].endswith(",90,3,,,,")


@given(value=st.floats(allow_nan=True, allow_infinity=False))
def test_floats_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "one.csv"
    row = Score("d", "b", 'a "quoted", name', -3, "iid", "guard", "m", np.float64(value), 7)
    write_csv(path, [row], SCORE_COLUMNS)
    back = read_csv(path, Score)[0]
    assert (back.method, back.seed, back.n_units) == (row.method, -3, 7)
    assert math.isnan(back.value) if math.isnan(value) else repr(back.value) == repr(value)


def test_mappings_are_rows_too(tmp_path):
    write_csv(tmp_path / "t.csv", [{"b": None, "a": np.float32(0.5)}, {"a": 2, "b": "x"}], ("a", "b"))
    with (tmp_path / "t.csv").open() as stream:
        assert list(csv.reader(stream)) == [["a", "b"], ["0.5", ""], ["2", "x"]]
    with pytest.raises(BenchmarkError, match=r"row of t\.csv"):
        write_csv(tmp_path / "t.csv", [{"a": 1}], ("a", "b"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "columns of"),
        ("", "columns of"),
        (",".join(SCORE_COLUMNS) + "\nd,b,m,0,iid,f,m,high,7\n", "value in line 2 of .*; got 'high'; expected float"),
        (",".join(SCORE_COLUMNS) + "\nd,b,m,,iid,f,m,1,7\n", "seed in line 2 of .*; got ''; expected int"),
        (",".join(SCORE_COLUMNS) + "\nd,b,m,0,iid\n", "line 2 of .*; got '5 fields'; expected 9"),
    ],
)
def test_broken_tables_are_told(tmp_path, text, message):
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(BenchmarkError, match=message):
        read_csv(tmp_path / "scores.csv", Score)
