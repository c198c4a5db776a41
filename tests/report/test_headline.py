from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.api import Needs
from benchmark.cell import Cell
from benchmark.report.access import ORDER, by_access, peers, rank
from benchmark.report.ahead import lead
from benchmark.report.findings import sentences
from benchmark.report.headline import best_method, headline, tied
from benchmark.report.load import load
from benchmark.report.numbers import estimate, fraction, magnitude, probability, true_minus
from benchmark.report.records import Run, Summary, Task

MINUS = "\N{MINUS SIGN}"


def _task(rows, metric="accuracy", through=None):
    """``rows``: method to value, low, high, diff, p; the variant is always deceiving."""
    runs = [
        Run(Cell("d", "b", m), "nothing", "", through if m == "isnet" else None, "r", 1, [1], "h", 4, "") for m in rows
    ]
    summary = {
        (method, "deceiving", metric): Summary(9, 3, value, low, high, diff, None, None, p)
        for method, (value, low, high, diff, p) in rows.items()
    }
    return Task("d-b", runs, summary)


ERM = (0.5, 0.45, 0.55, None, None)


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, 0.01)}, "isnet"),
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, 0.05)}, None),
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, None)}, None),
        # The reference's interval may touch: the paired test decides. Another method's may not.
        ({"erm": ERM, "isnet": (0.56, 0.5, 0.6, 0.06, 0.01)}, "isnet"),
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, 0.01), "rrr": (0.88, 0.84, 0.92, 0.38, 0.01)}, None),
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, 0.01), "rrr": (0.7, 0.6, 0.8, 0.2, 0.01)}, "isnet"),
        ({"erm": ERM, "isnet": (0.9, None, None, 0.4, 0.01), "rrr": (0.7, 0.6, 0.8, 0.2, 0.01)}, None),
        ({"erm": ERM, "isnet": (0.1, 0.05, 0.15, -0.4, 0.01)}, "erm"),
        ({"erm": ERM, "isnet": (0.1, 0.05, 0.15, -0.4, 0.01), "rrr": (0.4, 0.3, 0.5, -0.1, 0.2)}, None),
        ({"erm": ERM, "isnet": (None, None, None, None, None)}, None),
        ({"isnet": (0.9, 0.85, 0.95, None, None), "rrr": (0.1, 0.0, 0.2, None, None)}, None),
    ],
)
def test_best_needs_the_adjusted_test(rows, best):
    assert best_method(_task(rows), "deceiving", "accuracy") == best


def test_lower_is_better_for_gap_and_relevance_and_training_through_the_judge_never_leads():
    rows = {"erm": (0.9, 0.85, 0.95, None, None), "isnet": (0.2, 0.15, 0.25, -0.7, 0.01)}
    assert best_method(_task(rows, "accuracy_gap"), "deceiving", "accuracy_gap") == "isnet"
    mass = "background_relevance_mass"
    assert best_method(_task(rows, mass, "lrp_epsilon"), "deceiving", mass) == "isnet"
    assert best_method(_task(rows, mass + "_lrp", "lrp_epsilon"), "deceiving", mass + "_lrp") is None


@pytest.mark.parametrize(
    ("rows", "same"),
    [
        # The reference is best: the paired test alone decides, whatever the intervals look like.
        ({"erm": ERM, "isnet": (0.4, 0.39, 0.41, -0.1, 0.2), "rrr": (0.49, 0.44, 0.54, -0.01, 0.01)}, {"erm", "isnet"}),
        # Another is best, and shown to be better than the reference: it ties with those whose intervals meet its own.
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, 0.01), "rrr": (0.88, 0.84, 0.92, 0.38, 0.01)}, {"isnet", "rrr"}),
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, 0.2), "rrr": (0.7, 0.6, 0.8, 0.2, 0.01)}, {"erm", "isnet"}),
        # No variance, no p and no interval: nothing is shown.
        ({"erm": (1.0, None, None, None, None), "isnet": (1.0, None, None, 0.0, None)}, {"erm", "isnet"}),
        # A leader has no tie, and one method alone neither.
        ({"erm": ERM, "isnet": (0.9, 0.85, 0.95, 0.4, 0.01)}, set()),
        ({"erm": ERM}, set()),
        ({"isnet": (0.9, 0.85, 0.95, None, None), "rrr": (0.9, 0.85, 0.95, None, None)}, set()),
        ({"erm": ERM, "isnet": (None, None, None, None, None)}, set()),
    ],
)
def test_a_tie_is_what_the_tests_do_not_tell_apart(rows, same):
    assert tied(_task(rows), "deceiving", "accuracy") == same


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 0.3), st.sampled_from([0.001, 0.049, 0.05, 0.8, None])),
        min_size=1,
        max_size=6,
    )
)
def test_either_one_leads_or_the_best_share_their_place(values):
    rows = {
        name: (v, v - half, v + half, None if name == "erm" else v - values[0][0], None if name == "erm" else p)
        for name, (v, half, p) in zip(("erm", "a", "b", "c", "d", "e"), values, strict=False)
    }
    task = _task(rows)
    best, same = best_method(task, "deceiving", "accuracy"), tied(task, "deceiving", "accuracy")
    assert not (best and same)
    if len(rows) > 1:
        top = max(value for value, *_ in rows.values())
        assert best or len(same) > 1
        assert any(rows[name][0] == top for name in same | {best} - {None})


def test_what_may_not_lead_by_an_explainer_does_not_tie_by_it():
    mass = "background_relevance_mass_lrp"
    rows = {
        "erm": (0.9, 0.85, 0.95, None, None),
        "isnet": (0.1, 0.0, 0.2, -0.8, 0.01),
        "rrr": (0.89, 0.84, 0.94, -0.01, 0.9),
    }
    assert tied(_task(rows, mass), "deceiving", mass) == set()  # isnet leads
    assert tied(_task(rows, mass, "lrp_epsilon"), "deceiving", mass) == {"erm", "rrr"}


def test_the_table_marks_ties_and_tells_costs_beside_the_scores(results):
    (results / "costs.csv").write_text(
        "method,step_ratio,memory_ratio,inference_ratio,params,train_seconds,needs\n"
        "erm,1,1,1,1000000,10,nothing\nisnet,2.5,2,1.01,1250000,25,training masks\n"
    )
    loaded = load(results)
    table = headline(loaded.tasks[0], loaded)
    assert [(head.group, head.text) for head in table.heads[-3:]] == [
        ("Cost ÷ erm", "training"),
        ("Cost ÷ erm", "inference"),
        ("", "Parameters, millions"),
    ]
    _, isnet, path = table.rows
    assert [entry.text for entry in isnet.entries[-3:]] == ["2.50", "1.01", "1.25"]
    assert [entry.text for entry in path.entries[-3:]] == ["not defined: not timed"] * 3
    # On iid both differ little from erm; isnet_path alone leads on deceiving, and nothing ties with it there.
    assert [row.entries[0].mark for row in table.rows] == ["", "=", "="]
    assert [row.entries[2].mark for row in table.rows] == ["", "", ""]
    assert any(note.startswith("= A tie") for note in table.notes) and any("timed" in note for note in table.notes)


def _mixed():
    """Two methods that see nothing, two that see masks, an oracle; the suite lists them anyhow."""
    rows = {
        "oracle": (0.95, 0.94, 0.96, 0.45, 0.001),
        "isnet": (0.9, 0.85, 0.93, 0.4, 0.01),
        "jtt": (0.7, 0.6, 0.8, 0.2, 0.01),
        "erm": ERM,
        "rrr": (0.6, 0.55, 0.65, 0.1, 0.04),
    }
    sees = {"oracle": "training masks, masks at test", "isnet": "training masks", "rrr": "training masks"}
    task = _task(rows)
    task.runs = [replace(run, needs=sees.get(run.cell.method, "nothing")) for run in task.runs]
    return task


def test_methods_are_listed_from_those_that_see_least_to_those_that_see_most():
    found = [(needs, [run.cell.method for run in runs]) for needs, runs in by_access(_mixed())]
    assert found == [
        ("nothing", ["jtt", "erm"]),
        ("training masks", ["isnet", "rrr"]),
        ("training masks, masks at test", ["oracle"]),
    ]
    seen = ["nothing", "training masks", "training masks, group labels", "a validation set without bias"]
    seen += ["training masks, a validation set without bias", "external data", "masks at test"]
    assert [rank(needs) for needs in seen] == sorted(map(rank, seen))


def test_all_that_a_method_may_declare_has_its_place_in_the_order():
    assert [Needs(**{field.name: True}).describe() for field in fields(Needs)] == list(ORDER)


def test_a_method_is_best_among_those_that_see_the_same():
    task = _mixed()
    best = {needs: best_method(task, "deceiving", "accuracy", peers(task, needs)) for needs, _ in by_access(task)}
    assert best == {"nothing": "jtt", "training masks": "isnet", "training masks, masks at test": "oracle"}
    assert best_method(task, "deceiving", "accuracy") == "oracle"  # which would be a silent ranking


def test_a_method_that_blanks_the_background_does_not_lead_by_its_heatmaps():
    mass = "background_relevance_mass"
    rows = {"erm": (0.9, 0.85, 0.95, None, None), "isnet": (0.2, 0.15, 0.25, -0.7, 0.01)}
    task = _task(rows, mass)
    assert best_method(task, "deceiving", mass) == "isnet"
    task.runs = [replace(run, masks_input=run.cell.method == "isnet") for run in task.runs]
    assert best_method(task, "deceiving", mass) is None


KEEPS = "erm keeps its accuracy where the bias misleads, to 0.05"
UNDECIDED = "erm: undecided. Where the bias misleads, accuracy falls by"
TOO_FEW = "the trainings differ too much, or are too few, to tell."


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        ((0.6, 0.2, 1.0), "erm loses accuracy where the bias misleads: it falls by 0.600 [0.200, 1.000]."),
        (
            (0.0287, 0.0141, 0.0432),
            "erm loses 0.029 [0.014, 0.043] where the bias misleads, less than the margin of 0.05.",
        ),
        ((0.03, 0.0, 0.05), f"{KEEPS} (gap 0.030 [0.000, 0.050])."),
        ((0.03, 0.01, 0.051), "erm loses accuracy where the bias misleads: it falls by 0.030 [0.010, 0.051]."),
        ((0.6, -0.1, 1.3), f"{UNDECIDED} 0.600 [-0.100, 1.300]: {TOO_FEW}"),
        ((-0.2, -0.3, -0.1), f"{KEEPS} (gap -0.200 [-0.300, -0.100])."),
        ((0.0, -0.02, 0.05), f"{KEEPS} (gap 0.000 [-0.020, 0.050])."),
        ((0.0, -0.02, 0.06), f"{UNDECIDED} 0.000 [-0.020, 0.060]: {TOO_FEW}"),
        ((0.6, None, None), "erm: not decided, for the gap iid - deceiving has no interval."),
    ],
)
def test_sentences_follow_the_interval(gap, words):
    assert sentences(_task({"erm": (*gap, None, None)}, "accuracy_gap")) == [words.replace("-", MINUS)]


AHEAD = "Where the bias misleads, "
NONE_WORSE = "No method is shown to be less accurate than erm."
REST = "Not shown to differ from erm, which is no proof that they are alike: "


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            {"a": (0.9, 0.8, 1.0, 0.4, 0.007), "b": (0.85, 0.7, 0.95, 0.3, 0.0004), "c": (0.6, 0.2, 1.0, 0.1, 0.3)},
            f"{AHEAD}a and b are shown to be more accurate than erm (Holm-adjusted p 0.007 at most). They are not told "
            f"apart from each other: their intervals meet. {NONE_WORSE} {REST}c.",
        ),
        (
            {"a": (0.9, 0.86, 1.0, 0.4, 0.007), "b": (0.7, 0.6, 0.85, 0.2, 0.0004), "c": (0.1, 0.0, 0.2, -0.4, 0.02)},
            f"{AHEAD}a and b are shown to be more accurate than erm (Holm-adjusted p 0.007 at most). All of them are "
            "told apart from each other: no two intervals meet. c is shown to be less accurate than erm (Holm-adjusted "
            "p 0.020).",
        ),
        (
            {"b": (0.7, 0.6, 0.8, 0.2, 0.01), "a": (0.9, 0.85, 1.0, 0.4, 0.01), "d": (0.8, 0.7, 0.9, 0.3, 0.01)},
            f"{AHEAD}b, a and d are shown to be more accurate than erm (Holm-adjusted p 0.010 at most). Among "
            "themselves a is ahead of b by intervals that do not meet; the others are not told apart from each other. "
            f"{NONE_WORSE}",
        ),
        (
            {"a": (0.9, 0.8, 1.0, 0.4, 0.0009)},
            f"{AHEAD}a is shown to be more accurate than erm (Holm-adjusted p <0.001). {NONE_WORSE}",
        ),
        (  # a p of the level, and none at all, show nothing
            {"a": (0.9, 0.8, 1.0, 0.4, 0.05), "b": (0.9, None, None, 0.4, None)},
            f"{AHEAD}no method is shown to be more accurate than erm with a Holm-adjusted p below 0.05. {NONE_WORSE} "
            f"{REST}a and b.",
        ),
        ({}, ""),
    ],
)
def test_who_is_ahead_of_the_reference_is_told_in_one_place(rows, words):
    assert lead(_task({"erm": ERM} | rows)) == words


def test_those_ahead_are_told_apart_from_their_like_only():
    task = _mixed()
    words = (
        "isnet, rrr and oracle are shown to be more accurate than erm (Holm-adjusted p 0.040 at most). All of them "
        "that see the same are told apart from each other: no two intervals meet."
    )
    task.runs = [run for _, runs in by_access(task) for run in runs if run.cell.method != "jtt"]
    assert words in lead(task)  # the oracle's interval lies apart, too, but it sees more
    task.runs = [run for run in task.runs if run.cell.method != "rrr"]
    assert "isnet and oracle are" in lead(task) and "apart" not in lead(task)


def test_nobody_is_ahead_of_a_reference_that_is_not_there():
    assert lead(_task({"a": (0.9, 0.8, 1.0, None, None), "b": (0.1, 0.0, 0.2, None, None)})) == ""


def test_no_bold_value_does_not_read_as_if_nobody_beats_the_reference(results, edit):
    def wide(table):  # both are shown to differ from erm, and all intervals meet
        for row in table:
            row.update(low="-1", high="1")
            if row["method"] == "isnet" and row["diff"]:
                row.update(p_holm="0.01")

    edit("summary.csv", wide)
    loaded = load(results)
    table = headline(loaded.tasks[0], loaded)
    assert not any(entry.best for row in table.rows for entry in row.entries)
    assert "isnet and isnet_path are shown to be more accurate than erm" in lead(loaded.tasks[0])
    (note,) = [note for note in table.notes if "bold" in note]
    assert "no method is ahead of all its like (who is ahead of erm is told in words, above the table)" in note


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.12 [-0.00, 0.25], 0 is random", "0.12 [0.00, 0.25], 0 is random"),
        ("-0.03 [-0.11, 0.05]; max-T of a-1", f"{MINUS}0.03 [{MINUS}0.11, 0.05]; max-T of a-1"),
        ("-0, -0.004, 3-4", f"0, {MINUS}0.004, 3-4"),
    ],
)
def test_words_of_others_get_a_true_minus_and_no_negative_zero(text, told):
    assert true_minus(text) == told


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        (fraction, 0.12345, "0.123"),
        (fraction, -0.0004, "0.000"),
        (fraction, -0.5, MINUS + "0.500"),
        (fraction, 1.0, "1.000"),
        (magnitude, 0.0213456, "0.0213"),
        (magnitude, 12345.6, "12346"),
        (magnitude, 3.14e-6, f"3.14e{MINUS}06"),
        (magnitude, 0.0, "0"),
        (probability, 0.00099, "<0.001"),
        (probability, 0.001, "0.001"),
        (probability, 1.0, "1.000"),
    ],
)
def test_numbers_print(form, value, text):
    assert form(value) == text


def test_an_estimate_without_a_value_or_an_interval_says_so():
    assert estimate(None, 0.1, 0.2, reason="no mask").text == "not defined: no mask"
    assert estimate(0.5, None, 0.2, reason="").interval == "[no interval]"
