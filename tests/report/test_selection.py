"""A selection hides rows and decides nothing."""

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.dose import study_for
from benchmark.report.findings import sentences
from benchmark.report.headline import headline
from benchmark.report.load import load
from benchmark.report.measures import Agreement, Comparison, Slope
from benchmark.report.page import write_pages
from benchmark.report.records import Cost, Selection
from benchmark.report.select import chosen, find_suite, select, spelt_out, suites, titles, told
from benchmark.report.tables import metric_tables, seed_table

FAMILIES = {
    "accuracy": "generalization",
    "accuracy_gap": "generalization",
    "macro_f1": "generalization",
    "density_share": "attribution",
    "faithfulness": "guard",
}


@pytest.fixture
def loaded(pristine):
    return load(pristine)


def of(results, **chosen):
    """A selection by keyword."""
    return select(results, Selection(**{name: frozenset(some) for name, some in chosen.items()}))


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["macro_f1"], {"macro_f1"}),
        (["accuracy"], {"accuracy", "accuracy_gap"}),
        (["accuracy_gap"], {"accuracy_gap"}),
        (["generalization"], {"accuracy", "accuracy_gap", "macro_f1"}),
        (["attribution", "guard"], {"density_share", "faithfulness"}),
    ],
)
def test_a_family_is_all_its_metrics_and_a_metric_brings_its_gap(asked, names):
    assert spelt_out(asked, FAMILIES) == names


def test_unknown_names_are_refused_with_the_close_ones():
    with pytest.raises(BenchmarkError, match="unknown metric; got 'acuracy'; expected 'accuracy'"):
        spelt_out(["acuracy"], FAMILIES)
    with pytest.raises(BenchmarkError, match="unknown metric; got 'behaviour'"):  # a family that no metric has
        spelt_out(["behaviour"], FAMILIES)
    with pytest.raises(BenchmarkError, match="unknown method; got 'isnt'; expected did you mean 'isnet'"):
        chosen(["isnt"], [], ["erm", "isnet"], FAMILIES)


def test_nothing_asked_for_is_no_selection(loaded):
    assert chosen([], [], ["erm"], FAMILIES) is None
    assert select(loaded, None) is loaded


def test_methods_stay_in_the_order_of_the_table(loaded):
    (task,) = of(loaded, methods=["isnet_path", "erm"]).tasks
    assert task.methods == ["erm", "isnet_path"]
    assert {key[0] for key in task.summary} == {key[0] for key in task.scores} == {"erm", "isnet_path"}
    assert loaded.tasks[0].methods == ["erm", "isnet", "isnet_path"]  # the whole is as it was


def test_only_the_chosen_metrics_and_the_headlines_are_left(loaded):
    (task,) = of(loaded, metrics=["macro_f1"]).tasks
    assert task.metrics() == {"macro_f1", "accuracy", "accuracy_gap"}
    exact = select(loaded, Selection(None, frozenset({"macro_f1"})), headline=False).tasks[0]
    assert exact.metrics() == {"macro_f1"} == {key[3] for key in exact.scores}


def bold(task, results):
    """Method and head of every bold entry."""
    table = headline(task, results)
    heads = [head.text for head in table.heads[2:]]
    return {(r.names[1], h) for r in table.rows for h, e in zip(heads, r.entries, strict=True) if e.best}


def test_no_method_becomes_the_best_by_leaving_out_its_rivals(results, edit):
    def near(table):  # isnet comes close to isnet_path, so that neither leads
        for row in table:
            if (row["method"], row["variant"], row["metric"]) == ("isnet", "ood", "accuracy"):
                row.update(value="0.95", low="0.93", high="0.97", diff="0.64", diff_low="0.6", diff_high="0.7")

    whole = load(results)
    assert ("isnet_path", "ood") in bold(whole.tasks[0], whole)
    edit("summary.csv", near)
    whole = load(results)
    assert ("isnet_path", "ood") not in bold(whole.tasks[0], whole)
    for methods in (["erm", "isnet_path"], ["isnet_path"]):
        some = of(whole, methods=methods)
        assert bold(some.tasks[0], some) == {(m, h) for m, h in bold(whole.tasks[0], whole) if m in methods}


def test_what_was_bold_stays_bold_without_the_reference_and_the_note_says_what_is_missing(loaded):
    some = of(loaded, methods=["isnet", "isnet_path"])
    assert bold(some.tasks[0], some) == bold(loaded.tasks[0], loaded) - {("erm", "iid")} != set()
    (note,) = (note for note in headline(some.tasks[0], some).notes if note.startswith("Shown are"))
    assert "2 of 3 methods" in note and "to erm, which is not shown" in note
    assert "not shown" not in told(of(loaded, methods=["erm"]).tasks[0])
    assert told(loaded.tasks[0]) == told(of(loaded, metrics=["macro_f1"]).tasks[0]) == ""


def test_tables_without_a_chosen_metric_vanish_and_empty_columns_with_them(loaded):
    some = of(loaded, metrics=["macro_f1", "macro_f1_gap"])
    (task,) = some.tasks
    assert [table.key for table in metric_tables(task)] == ["mnist5k-corner-macro_f1"]
    assert [head.text for head in headline(task, some).heads[2:]] == ["iid", "ood", "deceiving", "iid \u2212 deceiving"]
    assert [head.text for head in seed_table(task).heads] == ["Method", "Seed", "iid", "ood", "deceiving"]
    assert "heatmap loss" not in " ".join(sentences(task))
    everything = loaded.tasks[0]
    assert len(metric_tables(everything)) == 6 and len(seed_table(everything).heads) == 6


def other_tables(results):
    """The same results with a row for each method in the tables that a suite need not have."""
    names, nothing = results.tasks[0].methods, dict.fromkeys(("low", "high", "value"))
    counts = dict.fromkeys(Comparison.__annotations__) | {"dataset": "mnist5k", "bias": "corner"}
    results.comparisons.extend(Comparison(**counts | {"method": name, "variant": "iid"}) for name in names)
    for first, second in (("accuracy_gap", "macro_f1"), ("accuracy_gap", "heatmap_loss")):
        keys = dict.fromkeys(Agreement.__annotations__) | {"first": first, "second": second}
        results.agreement.append(Agreement(**keys))
    slopes = {"dial": "strength", "held": "correlation", "at": 1.0, "variant": "iid", "doses": "0; 1"}
    results.slopes.extend(Slope(method=name, **slopes, **nothing) for name in names)
    results.costs.extend(Cost(name, "nothing", 1, 1, 1, 1, 1) for name in names)
    return results


def test_the_other_tables_follow_and_claims_are_never_left_out(loaded):
    whole = other_tables(loaded)
    some = of(whole, methods=["erm", "isnet"])
    for table in (some.comparisons, some.slopes, some.costs):
        assert [row.method for row in table] == ["erm", "isnet"]
    assert some.agreement == []  # a rank correlation over all methods says nothing of two
    some = of(whole, metrics=["accuracy_gap", "macro_f1"])
    assert [one.second for one in some.agreement] == ["macro_f1"]
    assert some.comparisons == some.slopes == [] and len(some.costs) == 3
    assert some.claims == whole.claims != []


def test_a_page_of_a_selection_names_nobody_else(loaded, tmp_path):
    write_pages(of(loaded, methods=["erm"], metrics=["macro_f1"]), tmp_path, formats=("md",))
    text = (tmp_path / "report.md").read_text()
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert any("| erm |" in line for line in tables)
    assert not any("| isnet |" in line or "| isnet_path |" in line for line in tables)
    shown = text.split("## What this does not establish")[0]
    assert "Macro F1" in shown and "Macro AUROC" not in shown and "integrated gradients" not in shown


def test_a_study_of_doses_needs_accuracy(loaded):
    assert study_for(of(loaded, metrics=["macro_f1"])) is None


@pytest.fixture
def projects(pristine, tmp_path, monkeypatch):
    """A working directory with two suites and a folder that is called as one of them."""
    for name in ("default", "other"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "suite.json").write_bytes((pristine / "suite.json").read_bytes())
    (tmp_path / "results" / "stats").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_suite_is_found_by_name_and_a_folder_by_path(projects):
    assert suites() == ["default", "other"]
    assert find_suite("other").parts == ("results", "other")
    assert find_suite("./other/").parts == ("other",)
    assert find_suite("results/default").parts == ("results", "default")
    assert find_suite(str(projects / "nowhere")) == projects / "nowhere"  # load says that it is not there
    with pytest.raises(BenchmarkError, match="unknown suite; got 'defualt'; expected did you mean 'default'"):
        find_suite("defualt")
    with pytest.raises(BenchmarkError, match="unknown suite; got 'stats'"):
        find_suite("stats")


def test_two_folders_of_one_name_are_told_apart_or_refused(projects):
    assert titles([projects / "results/default", projects / "other"]) == ["default", "other"]
    with pytest.raises(BenchmarkError, match="two results folders are called other"):
        titles([projects / "results/other", projects / "other"])
