import csv
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
from benchmark.summary import SUMMARY_COLUMNS, SummaryRow, read_csv, summarise, write_csv

N, K, SEEDS = 90, 3, 3
LABEL = np.arange(N) % K
ID = np.array([f"image_{i:03d}" for i in range(N)])
BRM, LRP = "background_relevance_mass", "background_relevance_mass_lrp"
STRENGTH = {"iid": 2.5, "ood": 1.5, "deceiving": 0.5}


def stored(method, **changes):
    """Logits that know the label less from variant to variant; errors are partly shared between methods."""
    shared = np.random.default_rng(0).normal(size=(N, K))
    rng = np.random.default_rng(sum(map(ord, method)))
    logits = {
        variant: (shared + rng.normal(0, 0.7, (SEEDS, N, K)) + strength * np.eye(K)[LABEL]).astype(np.float32)
        for variant, strength in STRENGTH.items()
    }
    scores = {(name, v): rng.random((SEEDS, 30)).astype(np.float32) for name in (BRM, LRP) for v in ("iid", "ood")}
    content = {
        "seeds": np.arange(SEEDS),
        "id": ID,
        "unit": ID,
        "label": LABEL,
        "logits": logits,
        "subset": np.arange(0, N, 3),
        "image_scores": scores,
        "heatmap_loss": None if method == "erm" else np.array([0.2, 0.3, 0.4]),
    }
    return Predictions(**content | changes)


def cells(*methods, task=("mnist5k", "corner"), **changes):
    return {Cell(*task, method): stored(method, **changes) for method in methods}


def pick(rows, **wanted):
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert len(found) == 1, wanted
    return found[0]


@pytest.fixture(scope="module")
def result():
    predictions = cells("erm", "isnet", "rrr")
    return (predictions, *summarise(predictions, draws=500))


def test_every_row_is_there_once(result):
    _, scores, rows = result
    of_logits = [(v, m) for v in STRENGTH for m in ("accuracy", "macro_f1", "macro_auroc")]
    gaps = [(v, f"{m}_gap") for v, m in of_logits if v != "iid"]
    images = [(v, m) for v in ("iid", "ood") for m in (BRM, LRP)]
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


def test_interval_of_accuracy_by_the_formula(result):
    predictions, _, rows = result
    right = predictions[Cell("mnist5k", "corner", "rrr")].logits["ood"].argmax(2) == LABEL
    of_units = right.mean(0).var() / N
    of_seeds = right.mean(1).var(ddof=1) / SEEDS
    df = (of_units + of_seeds) ** 2 / (of_units**2 / (N - 1) + of_seeds**2 / (SEEDS - 1))
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
    df = (of_units + of_seeds) ** 2 / (of_units**2 / (N - 1) + of_seeds**2 / (SEEDS - 1))
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
    changes = {"subset": np.array([0, 1, 2, 3]), "unit": np.array([ID[0], ID[0], *ID[2:]])}
    predictions = cells("erm", image_scores={(BRM, "iid"): values, (LRP, "iid"): undefined}, **changes)
    scores, rows = summarise(predictions, draws=400)
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
    _, rows = summarise(cells("erm", logits={"iid": perfect, "ood": perfect}), draws=50)
    row = pick(rows, variant="ood", metric="accuracy")
    assert (row.value, row.high) == (1, 1)
    assert row.low == pytest.approx(N / (N + 1.959964**2), abs=1e-6)
    gap = pick(rows, variant="ood", metric="accuracy_gap")
    assert gap.value == 0
    assert math.isnan(gap.low)


def test_a_task_without_reference_has_no_differences():
    _, rows = summarise(cells("isnet", "rrr"), draws=50)
    assert all(math.isnan(row.diff) for row in rows)
    other = pick(summarise(cells("isnet", "rrr"), reference="isnet", draws=50)[1],
                 method="rrr", variant="ood", metric="macro_f1")  # fmt: skip
    assert math.isfinite(other.diff)


def test_tasks_do_not_touch_each_other_and_keep_their_order():
    first, second = cells("isnet", "erm"), cells("erm", "isnet", task=("other", "corner"))
    mixed = dict(pair for pairs in zip(first.items(), second.items(), strict=True) for pair in pairs)
    scores, rows = summarise(mixed, draws=50)
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
    assert free.high - free.value == pytest.approx(1.987 * math.sqrt(2 / 9 / N), rel=0.12)
    # Wilson's interval of 30 of 90: (p + z²/2n ± z √(p (1 - p) / n + z²/4n²)) / (1 + z²/n), z² = 3.841459
    assert (fixed.low, fixed.high) == (pytest.approx(0.244535, abs=1e-5), pytest.approx(0.435777, abs=1e-5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": np.char.add(ID, "x")}, "id of cell mnist5k-corner-isnet differs from mnist5k-corner-erm"),
        ({"unit": ID[::-1]}, "unit of cell"),
        ({"label": LABEL[::-1]}, "label of cell"),
        ({"seeds": np.array([0, 1, 3])}, "seeds of cell"),
        ({"seeds": np.array([0, 2, 1])}, "seeds of cell"),
        ({"subset": np.arange(30)}, "subset of cell"),
        ({"unit": np.full(N, "one")}, "number of test units of mnist5k-corner-isnet; got 1"),
        ({"attributes": {"strata": "label"}}, "attribute 'strata'"),
        ({"attributes": {"strata": "source"}}, "attribute 'strata'"),
        ({"logits": {"ood": np.zeros((SEEDS, N, K))}, "image_scores": {}}, "lacks the variant 'iid'"),
        ({"image_scores": {("relevance", "iid"): np.zeros((SEEDS, 30))}}, "unknown metric; got 'relevance'"),
    ],
)
def test_faults_are_told(changes, message):
    with pytest.raises(BenchmarkError, match=message):
        summarise(cells("erm") | cells("isnet", **changes), draws=20)


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
