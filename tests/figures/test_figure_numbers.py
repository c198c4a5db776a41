"""What the figures show is what the tables say: artists in memory against the CSV, read by another way."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import BenchmarkError
from benchmark.figures.draw import plans
from benchmark.figures.heatmaps import decode, segments
from benchmark.report.heatmap import outline


def figure(folder, kind, **how):
    return next(plan for plan in plans(folder, **how) if kind in plan.name).figure()


def lines(axes):
    """Label to the points of each line; intervals, of which there are many, as a list."""
    found = {}
    for line in axes.lines:
        found.setdefault(line.get_label(), []).append(np.array(line.get_data()).T)
    return found


def summary(folder, metric="accuracy", variant="deceiving"):
    table = pd.read_csv(folder / "summary.csv")
    return table[(table.metric == metric) & (table.variant == variant)].set_index("method")


def test_forest_holds_the_differences_in_order(suite):
    folder = suite(methods=8)
    axes, table = figure(folder, "forest").axes[0], summary(suite(methods=8, name="other")).drop("erm")
    drawn = lines(axes)
    order = table.sort_values("diff").index.tolist()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == order
    for y, method in enumerate(order):
        row = table.loc[method]
        assert drawn[method][0].tolist() == [[row["diff"], y]]
        assert drawn[f"{method}: interval"][0].tolist() == [[row.diff_low, y], [row.diff_high, y]]
    assert (np.array(drawn["no difference"][0])[:, 0] == 0).all()


def test_forest_fills_what_is_proven_and_nothing_at_the_level(suite):
    folder = suite(methods=8)
    p = summary(folder).p_holm.drop("erm")
    assert {0.049, 0.05} <= set(p)
    marks = {line.get_label(): line for line in figure(folder, "forest").axes[0].lines}
    filled = {m for m in p.index if marks[m].get_markerfacecolor() == marks[m].get_markeredgecolor()}
    assert filled == set(p.index[p < 0.05])


def test_slopes_go_through_the_accuracies(suite):
    folder = suite(methods=6)
    table = pd.read_csv(folder / "summary.csv")
    accuracy = table[table.metric == "accuracy"].set_index(["method", "variant"])
    seen = set()
    for axes in figure(folder, "slopes").axes:
        drawn = lines(axes)
        variants = [tick.get_text() for tick in axes.get_xticklabels()]
        assert variants == ["iid", "ood", "deceiving"]
        for method in table.method.unique():
            if method not in drawn:
                continue
            seen.add(method)
            points = drawn[method][0]
            assert points[:, 1].tolist() == [accuracy.value[method, v] for v in variants]
            assert np.abs(points[:, 0] - np.arange(3)).max() < 0.25
            ends = sorted(map(tuple, (bar[:, 1] for bar in drawn[f"{method}: interval"])))
            assert ends == sorted((accuracy.low[method, v], accuracy.high[method, v]) for v in variants)
    assert seen == set(table.method)


def test_the_line_to_other_images_is_dashed(suite):
    folder = suite(methods=3, variants=("iid", "external"))
    axes = figure(folder, "slopes").axes[0]
    styles = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert styles["erm: to external"] == "--"
    assert "external" in next(plan.caption for plan in plans(folder) if "slopes" in plan.name)


@pytest.mark.parametrize("panel, metric", enumerate(["background_relevance_mass", "background_swap_flip_rate"]))
def test_scatter_holds_bias_and_accuracy(suite, panel, metric):
    folder = suite(methods=7)
    x, y, drawn = summary(folder, metric, "iid"), summary(folder), lines(figure(folder, "scatter").axes[panel])
    for method in y.index:
        assert drawn[method][0].tolist() == [[x.value[method], y.value[method]]]
        assert drawn[f"{method}: x"][0][:, 0].tolist() == [x.low[method], x.high[method]]
        assert drawn[f"{method}: y"][0][:, 1].tolist() == [y.low[method], y.high[method]]


def test_cost_holds_the_ratio_on_a_logarithmic_axis(suite):
    folder = suite(methods=7)
    costs, y = pd.read_csv(folder / "costs.csv").set_index("method"), summary(folder)
    axes = figure(folder, "cost").axes[0]
    assert axes.get_xscale() == "log"
    drawn = lines(axes)
    for method in y.index:
        assert drawn[method][0].tolist() == [[costs.step_ratio[method], y.value[method]]]


def test_cost_has_bars_where_the_ratio_has_bounds(suite):
    folder = suite(methods=3)
    assert not [label for label in lines(figure(folder, "cost").axes[0]) if label.endswith(": x")]
    costs = pd.read_csv(folder / "costs.csv")
    costs["step_ratio_low"], costs["step_ratio_high"] = costs.step_ratio - 0.1, costs.step_ratio + 0.3
    costs.to_csv(folder / "costs.csv", index=False)
    drawn = lines(figure(folder, "cost").axes[0])
    assert "erm: x" not in drawn  # 1 by definition
    for row in costs[costs.method != "erm"].itertuples():
        assert drawn[f"{row.method}: x"][0][:, 0].tolist() == [row.step_ratio_low, row.step_ratio_high]
    caption = next(plan.caption for plan in plans(folder) if "cost" in plan.name)
    assert "horizontal bars: 95 % intervals" in caption and "line at 1" in caption


def test_reliability_holds_the_bins_and_their_counts(suite):
    folder = suite(methods=3)
    table = pd.read_csv(folder / "reliability.csv")
    axes = figure(folder, "reliability").axes
    for i, method in enumerate(table.method.unique()):
        drawn, strips = lines(axes[2 * i]), {p.get_label(): p.get_data() for p in axes[2 * i + 1].patches}
        for variant in ("iid", "deceiving"):
            rows = table[(table.method == method) & (table.variant == variant)]
            full = rows[rows["count"] > 0]
            assert drawn[f"{method} {variant}"][0].tolist() == full[["confidence", "accuracy"]].to_numpy().tolist()
            counts, edges, _ = strips[f"{method} {variant} counts"]
            np.testing.assert_array_equal(counts[rows["count"] > 0], full["count"])
            np.testing.assert_array_equal(edges[:-1], rows.low)
            few = drawn[f"{method} {variant} few"][0]
            assert len(few) == (full["count"] < 30).sum()
            words = " ".join(text.get_text() for text in axes[2 * i].texts)
            assert f"{variant} {rows.ece_part.sum():.3f}" in words


def test_an_image_is_a_row_and_a_method_a_column(suite):
    folder = suite(methods=5)
    axes = figure(folder, "heatmaps").axes[0]
    tiles = {image.get_label(): image for image in axes.images}
    assert set(tiles) == {f"tile {column} {row}" for column in range(6) for row in range(4)}
    shown = {text.get_text() for text in axes.texts}
    assert {"image", "erm", "class 0", "class 3"} <= shown
    with np.load(folder / "gallery" / "d-b-erm.npz") as held:
        image, heat = held["image"], held["heatmap/integrated_gradients"]
    np.testing.assert_array_equal(tiles["tile 0 2"].get_array()[..., 0], image[2, ..., 0])
    for row in range(4):  # where relevance is positive red is more than blue, and less where it is negative
        red, blue = (tiles[f"tile 1 {row}"].get_array()[..., i].astype(int) for i in (0, 2))
        strong = np.abs(heat[row]) > 0.2
        np.testing.assert_array_equal((red > blue)[strong], (heat[row] > 0)[strong])
        x0, x1, y0, y1 = tiles[f"tile 1 {row}"].get_extent()
        assert (x1 - x0, y0 - y1) == pytest.approx((1, 1))


def test_a_wrong_answer_is_named(suite):
    folder = suite(methods=2)
    wrong = [t for t in figure(folder, "heatmaps").axes[0].texts if str(t.get_label()).endswith("wrong")]
    assert [(t.get_label(), t.get_text()) for t in wrong] == [("erm 1 wrong", "0"), ("ag_sononet 1 wrong", "0")]


def test_the_outline_is_the_border_of_the_mask():
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1:4] = 1
    runs = segments(outline(mask))
    length = sum(abs(x2 - x1) + abs(y2 - y1) for (x1, y1), (x2, y2) in runs)
    assert length == 2 * (2 / 4 + 3 / 4)
    assert {x for run in runs for x, _ in run} == {0.25, 1.0}
    assert {y for run in runs for _, y in run} == {0.25, 0.75}


def test_a_picture_comes_back_as_it_was_written():
    from benchmark.report.png import data_uri, encode

    picture = np.random.default_rng(0).integers(0, 255, (5, 6, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decode(data_uri(encode(picture))), picture)


def test_overview_holds_a_number_for_every_task_and_method(suite):
    folder = suite(methods=4, tasks=tuple(f"d-b{i}" for i in range(7)))
    table = pd.read_csv(folder / "summary.csv")
    table = table[(table.metric == "accuracy") & (table.variant == "deceiving")]
    axes = figure(folder, "overview").axes[0]
    grid = table.pivot_table(index="bias", columns="method", values="value")
    columns = [tick.get_text() for tick in axes.get_xticklabels()]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [f"d-{bias}" for bias in grid.index]
    np.testing.assert_array_equal(np.asarray(axes.collections[0].get_array()).reshape(7, 4), grid[columns].to_numpy())
    first = next(row for row in table.itertuples() if (row.bias, row.method) == ("b0", "erm"))
    assert axes.texts[0].get_text() == f"{first.value:.3f}\n[{first.low:.3f}, {first.high:.3f}]"


def test_only_chosen_methods_are_shown_in_their_own_look(suite):
    folder = suite(methods=8)
    everyone = {line.get_label(): line for line in figure(folder, "cost").axes[0].lines}
    few = {line.get_label(): line for line in figure(folder, "cost", methods=["cdep", "gain"]).axes[0].lines}
    assert {"cdep", "gain"} <= set(few) and "bg_swap" not in few
    for method in ("cdep", "gain"):
        for ask in ("get_color", "get_marker", "get_markeredgecolor"):
            assert getattr(few[method], ask)() == getattr(everyone[method], ask)()


def test_an_unknown_method_is_refused_with_the_known_ones(suite):
    with pytest.raises(BenchmarkError, match="ag_sononet"):
        plans(suite(), methods=["sononet"])


def test_marks_that_decide_nothing_are_open(suite):
    folder = suite(methods=4)
    facts = json.loads((folder / "suite.json").read_text())
    facts["cells"][1]["masks_input"] = True
    (folder / "suite.json").write_text(json.dumps(facts))
    (folder / "guards.csv").write_text(
        "dataset,bias,method,explainer,verdict\nd,b,bg_swap,integrated_gradients,random\n"
    )
    plan = next(plan for plan in plans(folder) if "scatter" in plan.name)
    left, right = plan.figure().axes
    faces = [{line.get_label(): line.get_markerfacecolor() for line in axes.lines} for axes in (left, right)]
    assert faces[0]["ag_sononet"] == faces[0]["bg_swap"] == "none"
    assert "none" not in [faces[0]["erm"], faces[0]["cdep"], *faces[1].values()]
    assert "‡ the method blanks" in plan.caption and "§ the explainer failed" in plan.caption
    assert {"ag_sononet‡", "bg_swap§"} <= {text.get_text() for text in left.texts}
