"""CSV, JSON and LaTeX: the numbers are those of the tables that were read, and the files are what they claim to be."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.report import export
from benchmark.report.claimed import claims_table
from benchmark.report.costs import costs_table
from benchmark.report.headline import headline
from benchmark.report.latex import tables, write_latex
from benchmark.report.latex_table import WIDEST, environment, is_long, parts
from benchmark.report.latex_text import escape
from benchmark.report.load import load
from benchmark.report.numbers import Entry, estimate, undefined
from benchmark.report.records import Selection
from benchmark.report.select import select
from benchmark.report.tables import Head, Row, Table

ROOT = Path(__file__).parents[2]
NUMBERS = ("value", "low", "high", "diff", "diff_low", "diff_high", "p_holm")
KEY = ("dataset", "bias", "method", "variant", "metric")


def table_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def key_of(row):
    return tuple(row[name] for name in KEY)


@pytest.fixture(scope="module", params=["made up", "default"])
def folder(request, pristine):
    return pristine if request.param == "made up" else ROOT / "results/default"


@pytest.fixture(scope="module")
def loaded(folder):
    return load(folder)


@pytest.fixture(scope="module")
def exported(loaded):
    return table_of(export.csv_text(loaded))


def test_every_row_of_the_summary_is_in_the_csv_digit_by_digit(folder, exported, rows):
    found = {key_of(row): row for row in exported}
    assert len(found) == len(exported)
    summary = rows("summary.csv", folder)
    for row in summary:
        new = found[key_of(row)]
        assert [new[name] for name in ("family", "n_units", "n_seeds")] == [
            row[name] for name in ("family", "n_units", "n_seeds")
        ]
        for name in NUMBERS:
            assert new[name] == row[name] == "" or float(new[name]) == float(row[name])


def test_what_the_summary_lacks_is_a_row_with_its_reason(folder, exported, rows):
    summary = {key_of(row) for row in rows("summary.csv", folder)}
    cells = {key[:3] for key in summary}
    pairs = {(key[3], key[4]) for key in summary}
    assert len(exported) == len(cells) * len(pairs)  # one task
    for row in exported:
        assert bool(row["value"]) or row["reason"]
        assert (row["reason"] == "no interval") == bool(row["value"] and not row["low"])
        assert bool(row["diff"]) != bool(row["diff_reason"])
        if key_of(row) not in summary:
            assert row["value"] == row["n_units"] == ""
    erm = next(row for row in exported if (row["method"], row["metric"]) == ("erm", "heatmap_loss"))
    assert (erm["reason"], erm["diff_reason"]) == ("erm has none", "reference")


def test_the_values_of_the_seeds_are_those_of_the_scores(folder, exported, rows):
    seeds = {}
    for row in rows("scores.csv", folder):
        seeds.setdefault(key_of(row), []).append((row["seed"], row["value"]))
    for row in exported:
        there = seeds.get(key_of(row), [])
        assert [name for name in row["seeds"].split("; ") if name] == [seed for seed, _ in there]
        texts = row["seed_values"].split("; ") if there else []
        assert [text and float(text) for text in texts] == [value and float(value) for _, value in there]


def test_each_row_knows_what_its_method_sees_costs_and_comes_from(folder, exported):
    suite = json.loads((folder / "suite.json").read_text())
    costs = {}
    if (folder / "costs.csv").is_file():
        costs = {row["method"]: row for row in table_of((folder / "costs.csv").read_text())}
    cells = {cell["method"]: cell for cell in suite["cells"]}
    for row in exported:
        cell, cost = cells[row["method"]], costs.get(row["method"])
        assert row["sees_masks"] == str("training masks" in cell["needs"])
        assert row["sees_mask_at_test"] == row["sees_external"] == row["sees_groups"] == row["sees_balanced"] == "False"
        names = ("data", "backbone", "source", "epochs")
        assert [row[name] for name in names] == [str(cell[name]) for name in names]
        for name in ("step_ratio", "memory_ratio", "inference_ratio", "params", "train_seconds"):
            assert row[name] == "" if cost is None else float(row[name]) == float(cost[name])
    assert {(row["suite"], row["version"]) for row in exported} == {(suite["suite"], suite["version"])}
    assert len({row["protocol"] for row in exported}) == 1


def test_whatever_a_method_may_see_has_its_column(results, edit_suite):
    edit_suite(lambda suite: suite["cells"][1].update(needs="group labels, a validation set without bias"))
    edit_suite(lambda suite: suite["cells"][2].update(needs="training masks, external data, masks at test"))
    found = {row["method"]: row for row in table_of(export.csv_text(load(results)))}
    names = ("masks", "groups", "balanced", "external", "mask_at_test")
    sees = {method: {name for name in names if row[f"sees_{name}"] == "True"} for method, row in found.items()}
    assert sees == {
        "erm": set(),
        "isnet": {"groups", "balanced"},
        "isnet_path": {"masks", "external", "mask_at_test"},
    }


def test_bold_and_tied_are_those_of_the_headline_and_undecided_elsewhere(loaded, exported):
    (task,) = loaded.tasks
    decided = [row for row in exported if row["best"]]
    table = headline(task, loaded)
    entries = [entry for row in table.rows for entry in row.entries]
    assert sum(row["best"] == "True" for row in decided) == sum(entry.best for entry in entries)
    assert sum(row["tied"] == "True" for row in decided) == sum("=" in entry.mark for entry in entries)
    assert {row["metric"] for row in decided} == {
        "accuracy",
        "accuracy_gap",
        "background_relevance_mass",
        "background_relevance_mass_lrp",
        "heatmap_loss",
    }


def test_of_the_made_up_suite_the_one_that_holds_is_best(pristine):
    found = table_of(export.csv_text(load(pristine)))
    best = {(row["method"], row["variant"], row["metric"]) for row in found if row["best"] == "True"}
    assert ("isnet_path", "deceiving", "accuracy") in best  # 0.955, apart from isnet's interval, p 0.0002
    assert ("isnet", "deceiving", "accuracy") not in best
    marks = {(row["method"], row["metric"]): row["mark"] for row in found}
    lrp, judge = "background_relevance_mass_lrp", "background_relevance_mass"
    assert (marks["isnet", lrp], marks["isnet", judge], marks["erm", lrp]) == ("†", "", "")


def test_a_grey_value_says_what_its_explainer_failed(results):
    text = "dataset,bias,method,explainer,verdict\nmnist5k,corner,erm,lrp_epsilon,hardly depends on the weights\n"
    (results / "guards.csv").write_text(text)
    found = table_of(export.csv_text(load(results)))
    grey = {(row["method"], row["metric"], row["unfit"]) for row in found if row["mark"] == "§"}
    assert grey == {("erm", "background_relevance_mass_lrp", "hardly depends on the weights")}


def test_a_value_without_interval_and_one_without_number_say_so(results, edit):
    def empty(table):
        table[0].update(low="", high="")
        table[1].update(value="", low="", high="", diff="")

    edit("summary.csv", empty)
    one, other = table_of(export.csv_text(load(results)))[:2]
    first, second = (next(r for r in table_of((results / "summary.csv").read_text())[i : i + 1]) for i in (0, 1))
    found = {key_of(row): row["reason"] for row in table_of(export.csv_text(load(results)))}
    assert found[key_of(first)] == "no interval" and found[key_of(second)] == "no image has a value"
    assert one["suite"] == other["suite"] == "default"


def test_words_with_commas_quotes_and_signs_survive_the_csv(results, edit_suite):
    words = 'Bassi, "Dertkigil"; Cavalli\u00e9, 15 % \u2212 see §3'
    edit_suite(lambda suite: suite["cells"][1].update(source=words))
    found = table_of(export.csv_text(load(results)))
    assert {row["source"] for row in found if row["method"] == "isnet"} == {words}


def test_pandas_reads_the_csv_as_numbers_and_truths(exported, loaded):
    frame = pandas.read_csv(io.StringIO(export.csv_text(loaded)))
    assert len(frame) == len(exported)
    assert frame["sees_masks"].dtype == bool and frame["value"].dtype == float
    wide = frame.query("metric == 'accuracy'").pivot_table(index="method", columns="variant", values="value")
    assert wide.loc["erm", "deceiving"] == pytest.approx(loaded.tasks[0].summary["erm", "deceiving", "accuracy"].value)


def test_the_json_has_the_rows_of_the_csv_and_the_cells_beside(loaded, exported):
    whole = json.loads(export.json_text(loaded))
    assert len(whole["rows"]) == len(exported)
    cells = {(cell["dataset"], cell["bias"], cell["method"]): cell for cell in whole["cells"]}
    for row, line in zip(whole["rows"], exported, strict=True):
        for name, value in {**row, **cells[row["dataset"], row["bias"], row["method"]]}.items():
            values = ["" if each is None else str(each) for each in (value if isinstance(value, list) else [value])]
            assert line[name] == "; ".join(values)
    assert whole["protocol"]["rules"] == loaded.protocol and whole["protocol"]["id"] == exported[0]["protocol"]
    assert [claim["verdict"] for claim in whole["claims"]] == [claim.verdict for claim in loaded.claims]
    assert whole["tasks"][0]["variants"] == ["iid", "ood", "deceiving"] and whole["tasks"][0]["shift"] == "deceiving"
    assert whole["selection"] is None


def test_a_selected_export_holds_exactly_what_was_chosen(loaded):
    some = select(loaded, Selection(frozenset({"erm", "isnet"}), frozenset({"macro_f1"})), headline=False)
    whole = json.loads(export.json_text(some))
    assert {(row["method"], row["metric"]) for row in whole["rows"]} == {("erm", "macro_f1"), ("isnet", "macro_f1")}
    assert whole["selection"] == {"methods": ["erm", "isnet"], "metrics": ["macro_f1"]}
    assert {row["best"] for row in whole["rows"]} == {None}
    assert len(whole["claims"]) == len(loaded.claims)


def test_the_protocols_id_tells_other_rules_apart(loaded):
    other = replace(loaded, protocol=[*loaded.protocol, "Nothing is chosen."])
    assert export.protocol_id(other) != export.protocol_id(loaded) == export.protocol_id(replace(loaded, suite="x"))
    assert re.fullmatch("[0-9a-f]{12}", export.protocol_id(loaded))


def test_the_commit_of_a_cell_is_in_both(loaded):
    with_commits = replace(loaded, commits={"mnist5k-corner-erm": "abc1234"})
    found = {row["method"]: row["commit"] for row in table_of(export.csv_text(with_commits))}
    assert found["erm"] == "abc1234" and found["isnet"] == ""


def test_the_page_documents_every_column_and_every_field_of_the_json(loaded):
    text = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", text))
    columns = export.csv_text(loaded).splitlines()[0].split(",")
    whole = export.document(loaded)
    assert set(columns) <= named
    assert set(whole) | set(whole["protocol"]) | set(whole["tasks"][0]) <= named


# --- LaTeX ---------------------------------------------------------------------------------------


def groups(text):
    """Splits LaTeX at depth 0: the depth after every character, without escaped braces."""
    depth, depths = 0, []
    for sign in re.sub(r"\\[\\{}%&]", "..", text):
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
        depths.append(depth)
    assert depth == 0
    return depths


def cells(line):
    """The cells of a table row; ``&`` inside braces or escaped does not count."""
    depths, found, start = groups(line), [], 0
    for i, sign in enumerate(line):
        if sign == "&" and depths[i] == 0 and (i == 0 or line[i - 1] != "\\"):
            found.append(line[start:i].strip())
            start = i + 1
    return [*found, line[start:].strip()]


def check_structure(text):
    """Environments nest, braces balance, and every row has the columns that the head of the table declares."""
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    groups(text)
    assert text.isascii()
    found = list(re.finditer(r"\\begin\{(tabular|longtable)\}\{([^\n]*)\}\n(.*?)\\end\{\1\}", text, re.S))
    assert found
    for match in found:
        columns = len(re.sub(r">\{[^}]*\}p\{[^}]*\}", "p", match[2]))
        rows = 0
        for line in match[3].splitlines():
            if not (end := re.search(r" \\\\(\*\[-2pt\])?$", line)):
                assert re.match(r"\\(\w+rule|addlinespace|caption|end(first)?head)|$", line)
                continue
            spans = [re.match(r"\\multicolumn\{(\d+)\}", cell) for cell in cells(line[: end.start()])]
            assert sum(int(span[1]) if span else 1 for span in spans) == columns, line
            rows += 1
        assert rows > 1


ALL = frozenset({"accuracy", "macro_f1", "heatmap_loss", "background_relevance_mass", "background_relevance_mass_lrp"})


def test_every_table_is_well_formed(loaded):
    chosen = select(loaded, Selection(None, ALL | {name for name, _ in list(loaded.measures.items())}))
    for results in (loaded, chosen):
        files = tables(results)
        assert list(files) == ["mnist5k-corner", ""]
        for chapter in files.values():
            for text in chapter.values():
                check_structure(text)
    assert len(tables(chosen)["mnist5k-corner"]) > len(tables(loaded)["mnist5k-corner"]) == 1


def test_the_headline_has_the_numbers_bold_marks_and_letters(pristine):
    text = tables(load(pristine))["mnist5k-corner"]["mnist5k-corner"]
    lines = [line for line in text.splitlines() if " & " in line]
    at = next(i for i, line in enumerate(lines) if line.startswith("isnet\\_path &"))
    values, intervals = (cells(line.removesuffix(r" \\").removesuffix(r" \\*[-2pt]")) for line in lines[at : at + 2])
    # by hand: the mean of 0.955, 0.96 and 0.95; half a width of 0.02 + 1.2 SD, SD = 0.0040825
    assert values[:2] == ["isnet\\_path", "M"] and values[4] == r"\textbf{0.955}"
    assert intervals[4] == r"{\scriptsize {[}0.930, 0.980{]}}" and intervals[:2] == ["", ""]
    assert values[7] == r"0.110\textsuperscript{$\dagger$}"
    erm = cells(next(line for line in lines if line.startswith("erm &")).removesuffix(r" \\*[-2pt]"))
    assert erm[1] == "" and erm[8] == r"---\textsuperscript{a}"
    assert "Not defined, a: the method has none." in text and "M training masks" in text
    assert text.count("\\midrule") == 2  # below the head, and where methods see more


def test_every_table_tells_protocol_units_and_limits(loaded):
    for chapter in tables(loaded).values():
        for text in chapter.values():
            assert "\\emph{Protocol.} " + escape(loaded.protocol[0])[:40] in text
            assert "\\emph{What this does not establish.} That a method would do as well" in text
    text = tables(loaded)["mnist5k-corner"]["mnist5k-corner"]
    assert re.search(r"Units: 1000 .*Seeds: 3 \(0, 1, 2\)\. Data [0-9a-f]{12}", text)


def test_costs_and_claims_are_there_with_their_verdicts(loaded):
    rest = tables(loaded)[""]
    assert list(rest) == ["costs"] * bool(loaded.costs) + ["claims"]
    for claim in loaded.claims:
        assert escape(claim.claim) in rest["claims"]
    assert "$\\surd$" not in rest["claims"] and " pass " in rest["claims"]


@pytest.mark.parametrize(
    ("words", "latex"),
    [
        ("a_b & 5 % of $3 #1 {x}", r"a\_b \& 5 \% of \$3 \#1 \{x\}"),
        ("[low, high]", "{[}low, high{]}"),  # after a row's end it would be a distance
        ("p<0.001 ~ ^ \\ |", r"p\textless{}0.001 \textasciitilde{} \textasciicircum{} \textbackslash{} \textbar{}"),
        ("a -- b ,, ''", "a -{}- b ,{}, '{}'"),  # no dash, no quotes
        ("\u22120.5 iid \u2212 ood", "$-$0.5 iid $-$ ood"),
        ("Müller, Łukasz, Çelik, naïve", r"M\"{u}ller, \L{}ukasz, \c{C}elik, na\"{i}ve"),
        ("☃", "{[}U+2603{]}"),
        ("two\n lines", "two lines"),
    ],
)
def test_words_are_escaped(words, latex):
    assert escape(words) == latex


@given(st.text())
def test_any_words_stay_words(words):
    text = escape(words)
    assert text.isascii()
    groups(text)
    assert text.count("$") % 2 == text.count(r"\$") % 2
    bare = re.sub(r"\$[^$]+\$|\\[a-zA-Z]+|\\.", "", text.replace(r"\$", ""))
    assert not re.search(r"[&%#_^~\\]", bare.replace("~", "") if "\u00a0" in words else bare)


def wide(columns, rows=3, notes=()):
    heads = [Head("Method"), *(Head(f"metric {i}", f"group {i // 4}") for i in range(columns))]
    lines = [Row((f"m_{j}",), [estimate((i + j) / 100, 0, 1, reason="") for i in range(columns)]) for j in range(rows)]
    return Table("t", "Wide", heads, lines, list(notes))


@pytest.mark.parametrize("columns", [1, 9, 10, 19, 40])
def test_a_wide_table_is_cut_and_nothing_is_lost(columns):
    whole = wide(columns)
    cut = parts(whole, long=False)
    assert [head for one in cut for head in one.heads[1:]] == whole.heads[1:]
    for j, row in enumerate(whole.rows):
        assert [entry for one in cut for entry in one.rows[j].entries] == row.entries
    assert all(len(one.heads) - 1 <= WIDEST for one in cut) and len({one.key for one in cut}) == len(cut)
    assert len(cut) == -(-columns // 9)
    assert all(abs(len(one.heads) - len(cut[0].heads)) <= 1 for one in cut)


def test_a_long_table_may_break_between_pages_and_repeats_its_head():
    short, long = wide(3, rows=5), wide(3, rows=40)
    assert not is_long(short, []) and is_long(long, []) and is_long(short, ["x" * 130 * 60])
    text = environment(long, "l", [], [], long=True)
    check_structure(text)
    assert text.count("\\label{l}") == 1 and text.count("metric 0") == 2 and "\\begin{table}" not in text


def test_equal_reasons_share_a_letter_and_other_methods_names_do_not_part_them():
    rows = [Row((name,), [undefined(f"{name} has none"), undefined("no image")]) for name in ("erm", "term")]
    text = environment(Table("t", "T", [Head("Method"), Head("a"), Head("b")], rows), "l", [], [], long=False)
    assert "Not defined, a: the method has none; b: no image." in text
    assert text.count(r"\textsuperscript{a}") == text.count(r"\textsuperscript{b}") == 2


def test_grey_is_grey_and_words_in_a_wide_column_are_set_in_lines():
    rows = [Row(("erm",), [Entry("0.500", value=0.5, mark="§", tone="unfit"), Entry("a reason that takes some room")])]
    table = Table("t", "T", [Head("Method"), Head("Value"), Head("Why")], rows)
    text = environment(table, "l", [], [], long=False)
    assert r"\textcolor[gray]{0.45}{0.500\textsuperscript{$\mathsection$}}" in text
    assert re.search(r"\\begin\{tabular\}\{lr>\{\\raggedright\\arraybackslash\}p\{0\.\d\d\\linewidth\}\}", text)
    check_structure(text)


def test_the_tables_that_latex_prints_are_those_of_the_pages(loaded):
    rest = tables(loaded)[""]
    for key, table in (("claims", claims_table(loaded.claims)), ("costs", costs_table(loaded.costs))):
        for row in table.rows if key in rest else []:
            for entry in row.entries:
                assert entry.reason or escape(entry.text.lstrip("✓✗? ")) in rest[key]


def test_pdflatex_sets_the_whole_document_without_a_complaint(loaded, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine: the documents' structure is tested above")
    nasty = [*loaded.protocol, "".join(map(chr, range(32, 127))), "é ü Ł ß \u2212 † ‡ § \u00d7 ÷ ≥ τ ☃ “quoted” -- ''"]
    chosen = Selection(None, frozenset({"accuracy", "macro_f1", "background_relevance_mass"}))
    written = write_latex(replace(select(loaded, chosen), protocol=nasty), tmp_path)
    assert tmp_path / "report.tex" in written and all(path.is_file() for path in written)
    for _ in range(2):  # the second time references are known
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").stat().st_size > 10_000
    assert not re.findall(r"^(?:Overfull|LaTeX Warning|Package \w+ Warning|Missing character).*", done.stdout, re.M)
