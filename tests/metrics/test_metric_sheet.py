from benchmark.metrics.named import metric_named
from benchmark.metrics.sheet import METRIC_COLUMNS, metric_sheet, split_name
from benchmark.registry import METRICS
from benchmark.scoring.settings import suffix

ENDS = {suffix(name): name for name in ("integrated_gradients", "lrp_epsilon", "grad_cam", "attention_rollout")}


def sheet(*names):
    return {row.metric: row for row in metric_sheet(names, ENDS)}


def test_a_name_is_taken_apart_into_metric_and_explainer():
    assert split_name("background_relevance_mass", ENDS) == ("background_relevance_mass", "integrated_gradients")
    assert split_name("background_relevance_mass_lrp", ENDS) == ("background_relevance_mass", "lrp_epsilon")
    assert split_name("mask_auroc_grad_cam", ENDS) == ("mask_auroc", "grad_cam")
    assert split_name("faithfulness_lrp", ENDS) == ("faithfulness", "lrp_epsilon")
    assert split_name("randomisation_integrated_gradients", ENDS) == ("randomisation", "integrated_gradients")
    assert split_name("accuracy_gap", ENDS) == ("accuracy_gap", "")
    # longer names first: `weighted_inside_total_ratio` is not `inside_total_ratio`
    assert split_name("weighted_inside_total_ratio_grad_cam", ENDS) == ("weighted_inside_total_ratio", "grad_cam")


def test_every_row_declares_its_conventions():
    rows = sheet(
        "mark_relevance_grad_cam", "relevance_mass_accuracy", "accuracy", "background_relevance_mass_if_correct"
    )
    mark = rows["mark_relevance_grad_cam"]
    assert (mark.region, mark.sign, mark.explainer) == ("mark", "absolute", "grad_cam")
    assert mark.upsampling.startswith("bilinear")
    assert "rrr_gradcam" in mark.trained_by.split(", ")
    assert rows["relevance_mass_accuracy"].sign == "squared"
    assert (rows["relevance_mass_accuracy"].dilation, rows["relevance_mass_accuracy"].normalisation) == ("none", "none")
    assert sheet("pointing_game")["pointing_game"].dilation == "15/224 of the shorter side"
    assert sheet("energy_pointing_game_lrp")["energy_pointing_game_lrp"].normalisation.startswith("smallest value to 0")
    assert rows["relevance_mass_accuracy"].empty_masks
    assert rows["background_relevance_mass_if_correct"].images == "correct only"
    assert rows["accuracy"].explainer == rows["accuracy"].sign == rows["accuracy"].target == ""


def test_a_map_that_does_not_depend_on_the_class_says_so():
    rows = sheet("background_relevance_mass_attention_rollout", "background_relevance_mass_grad_cam")
    assert rows["background_relevance_mass_attention_rollout"].target == "none"
    assert rows["background_relevance_mass_grad_cam"].target == "the label's logit"


def test_direction_range_and_chance_are_those_of_the_metric():
    for row in sheet(*METRICS.working()).values():
        metric = metric_named(row.metric)
        declared = (metric.higher_is_better, metric.low, metric.high, metric.chance, metric.source, metric.family)
        assert (row.higher_is_better, row.low, row.high, row.chance, row.source, row.family) == declared
        assert row.low < row.high
        assert row.chance
        assert row.source


def test_a_metric_comes_once_and_in_order():
    rows = metric_sheet(["brier", "accuracy", "brier"], ENDS)
    assert [row.metric for row in rows] == ["brier", "accuracy"]
    assert METRIC_COLUMNS[0] == "metric"
