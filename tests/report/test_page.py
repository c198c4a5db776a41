import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from benchmark.report import write_report
from benchmark.report.fill import markdown

MINUS = "\N{MINUS SIGN}"
VOID = {"meta", "img", "br", "link", "input", "hr", "wbr"}


class Page(HTMLParser):
    """Tables as rows of fields, and every element with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.tables, self.stack, self.texts, self.scripts = [], {}, [], [], {}
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "table":
            self.rows = []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append({"tag": tag, "text": "", "numbers": [], "bold": False, **attrs})
        if tag == "data":
            self.rows[-1][-1]["numbers"].append(float(attrs["value"]))
        if tag == "strong":
            self.rows[-1][-1]["bold"] = True
        if tag == "caption":
            self.tables[attrs["id"].removeprefix("caption-")] = self.rows

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "script":
            self.scripts[self.elements[-1][1].get("type", "")] = data
            return
        self.texts.append(data)
        if "td" in self.stack or "th" in self.stack:
            self.rows[-1][-1]["text"] += data

    def field(self, table, *names):
        """The entries of the row with the given names; the head of a group of rows stands for the rows below it."""
        above = []
        for row in self.tables[table]:
            if group := [field["text"] for field in row if field.get("scope") == "rowgroup"]:
                above = [group[0].removeprefix("Sees beside images and labels: ")]
            heads = [field["text"] for field in row if field.get("scope") == "row"]
            if heads and [*above, *heads] == list(names):
                return [field for field in row if field["tag"] == "td"]
        raise AssertionError(f"no row {names} in {table}")


@pytest.fixture(scope="module")
def written(pristine, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    write_report(pristine, out)
    return out


@pytest.fixture(scope="module")
def page(written):
    return Page((written / "report.html").read_text())


def _check(field, value, low, high, digits=3):
    assert field["numbers"] == [float(value)]
    form = (lambda x: f"{float(x):.3f}") if digits == 3 else (lambda x: f"{float(x):.3g}")
    expected = f"{form(value)} [{form(low)}, {form(high)}]".replace("-", MINUS)
    assert field["text"].replace("†", "").replace("=", "").split() == expected.split()


SEES = {"erm": "nothing", "isnet": "training masks", "isnet_path": "training masks"}
COLUMNS = [
    ("iid", "accuracy"),
    ("ood", "accuracy"),
    ("deceiving", "accuracy"),
    ("deceiving", "accuracy_gap"),
    ("iid", "background_relevance_mass"),
    ("iid", "background_relevance_mass_lrp"),
    ("iid", "heatmap_loss"),
]


def test_headline_holds_the_numbers_of_summary_csv(page, rows):
    summary = {(r["method"], r["variant"], r["metric"]): r for r in rows("summary.csv")}
    for method in ("erm", "isnet", "isnet_path"):
        fields = page.field("mnist5k-corner", SEES[method], method)
        for field, (variant, metric) in zip(fields, COLUMNS, strict=False):
            row = summary.get((method, variant, metric))
            if row is None:
                assert (method, field["text"]) == ("erm", "none: erm has none")  # all but the first word is for ears
            else:
                _check(field, row["value"], row["low"], row["high"], 0 if metric == "heatmap_loss" else 3)
        assert ("†" in fields[5]["text"]) == (method != "erm")
        assert "†" not in fields[4]["text"]


def test_metric_tables_hold_every_row_of_summary_csv(page, rows):
    seen = 0
    for row in rows("summary.csv"):
        metric = row["metric"].removesuffix("_gap")
        variant = row["variant"] if metric == row["metric"] else f"iid {MINUS} {row['variant']}"
        value, diff, p, units = page.field(f"mnist5k-corner-{metric}", row["method"], variant)
        _check(value, row["value"], row["low"], row["high"], 0 if metric == "heatmap_loss" else 3)
        if row["diff"]:
            _check(diff, row["diff"], row["diff_low"], row["diff_high"])
            assert p["numbers"] == [float(row["p_holm"])]
            assert p["text"] == ("<0.001" if float(row["p_holm"]) < 0.001 else f"{float(row['p_holm']):.3f}")
        else:
            assert diff["text"].startswith("not defined: ") and p["text"].startswith("not defined: ")
        assert units["text"] == (row["n_units"] if row["n_units"] != "0" else "not defined: no test unit")
        seen += 1
    assert seen == 3 * (3 * 5 + 2 * 3) + 2


def test_seed_table_holds_every_seed(page, rows):
    scores = {(r["method"], r["seed"], r["variant"], r["metric"]): float(r["value"]) for r in rows("scores.csv")}
    for method in ("erm", "isnet", "isnet_path"):
        for seed in "012":
            *accuracy, loss = page.field("mnist5k-corner-seeds", method, f"seed {seed}")
            expected = [scores[method, seed, variant, "accuracy"] for variant in ("iid", "ood", "deceiving")]
            assert [field["numbers"] for field in accuracy] == [[value] for value in expected]
            value = scores.get((method, seed, "iid", "heatmap_loss"))
            assert loss["numbers"] == ([] if value is None else [value])


def test_bold_where_the_tests_support_a_lead(page):
    bold = {m: [f["bold"] for f in page.field("mnist5k-corner", sees, m)] for m, sees in SEES.items()}
    assert not any(bold["erm"]) and not any(bold["isnet"])
    assert bold["isnet_path"] == [False, True, True, True, True, False, False]


def test_claims_show_verdict_and_effect(page, rows):
    for claim in rows("claims.csv"):
        verdict, effect, p, evidence = page.field("claims", claim["claim"])
        assert verdict["text"].endswith(claim["verdict"]) and evidence["text"] == claim["evidence"]
        _check(effect, claim["effect"], claim["low"], claim["high"])
        assert p["text"] == ("<0.001" if claim["p"] else "not defined: not tested")


def test_every_image_decodes_and_nothing_is_fetched(page, written):
    sources = [attrs[key] for _, attrs in page.elements for key in ("src", "href") if key in attrs]
    images = [text for text in sources if text.startswith("data:image/png;base64,")]
    assert all(text.startswith(("data:image/png;base64,", "#")) for text in sources)
    sizes = [Image.open(io.BytesIO(base64.b64decode(text.split(",")[1]))) for text in images]
    for image in sizes:
        image.load()
    # One contact sheet, 8 photos, 8 maps for each of 3 methods and 2 explainers.
    assert sorted(image.size for image in sizes) == [(28, 28)] * (8 + 8 * 3 * 2) + [(300, 90)]
    text = (written / "report.html").read_text()
    assert not re.search(r"https?:|url\(|@import|<link", text)


def test_the_page_may_run_its_own_script_and_nothing_else(page):
    assert [attrs for tag, attrs in page.elements if tag == "script"] == [
        {"type": "application/json", "id": "details"},
        {},
    ]
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    digest = base64.b64encode(hashlib.sha256(page.scripts[""].encode()).digest()).decode()
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|fetch\(|import\(", page.scripts[""]
    )


def test_structure_serves_screen_readers(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        for key in ("href", "aria-labelledby"):
            if attrs.get(key, "").startswith("#") or (key == "aria-labelledby" and key in attrs):
                assert attrs[key].removeprefix("#") in ids
        if tag == "th":
            assert attrs["scope"] in ("row", "col", "rowgroup", "colgroup")
        if tag == "img":
            assert attrs["alt"] and attrs["width"] and attrs["height"]
        if attrs.get("role") in ("img", "region"):
            assert attrs.get("aria-label") or attrs.get("aria-labelledby")
    tables = [tag for tag, _ in page.elements if tag in ("table", "caption")]
    assert tables == ["table", "caption"] * (len(tables) // 2)


def test_rows_of_a_table_are_equally_long(page):
    for key, table in page.tables.items():
        widths, covered = [], 0
        for row in table:
            width = sum(int(field.get("colspan", 1)) for field in row)
            widths.append(width + (covered > 0))
            covered = max(covered - 1, 0)
            covered = max([covered, *(int(field["rowspan"]) - 1 for field in row if "rowspan" in field)])
        assert len(set(widths)) == 1, key


def test_markdown_tables_are_rectangular_and_hold_the_headline(written, rows):
    text = (written / "report.md").read_text()
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(blocks) == 1 + 1 + 6 + 1 + 1 + 1
    for block in blocks:
        lines = block.splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
        assert re.fullmatch(r"\|( -{3}:? \|)+", lines[1]) and len(lines) > 2
    row = next(r for r in rows("summary.csv") if (r["method"], r["variant"], r["metric"]) == COLUMN)
    number = f"{float(row['value']):.3f}** [{float(row['low']):.3f}, {float(row['high']):.3f}]"
    assert f"**{number}" in blocks[0].splitlines()[4]
    for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        assert (written / link).is_file()


COLUMN = ("isnet_path", "deceiving", "accuracy")
HOSTILE = '<script>alert(1)</script> | `x` [a](javascript:alert(2)) "><img src=x onerror=y> {{ 7*7 }}'


def test_hostile_words_stay_words(results, edit, edit_suite):
    edit_suite(lambda suite: suite.update(protocol=[HOSTILE], code=HOSTILE, packages={HOSTILE: HOSTILE}))
    edit_suite(lambda suite: suite["cells"][1].update(needs=HOSTILE, source=HOSTILE, title=HOSTILE, data=HOSTILE))
    edit("claims.csv", lambda table: table[0].update(claim=HOSTILE, evidence=HOSTILE))
    edit("scores.csv", lambda table: table[0].update(metric=HOSTILE))
    edit("summary.csv", lambda table: table[0].update(metric=HOSTILE.replace("_", ""), variant=HOSTILE))
    write_report(results)
    page = Page((results / "report.html").read_text())
    assert not [tag for tag, attrs in page.elements if "onerror" in attrs]
    assert [attrs.get("type", "own") for tag, attrs in page.elements if tag == "script"] == ["application/json", "own"]
    facts = json.loads(page.scripts["application/json"])["tasks"]["mnist5k-corner"]["methods"]["isnet"]["facts"]
    assert [text for _, text in facts].count(HOSTILE) == 4  # source, needs, data, code
    assert "".join(page.texts).count("<script>alert(1)</script>") >= 8
    assert "".join(page.texts).count("{{ 7*7 }}") >= 8
    text = (results / "report.md").read_text()
    assert "<script" not in text and "<img" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("isnet_path", "isnet_path"),
        ("_so_", r"\_so\_"),
        ("a|b", r"a\|b"),
        (f"0.9 [{MINUS}0.1, 0.2]", f"0.9 [{MINUS}0.1, 0.2]"),
        ("[0.1](evil)", r"\[0.1\](evil)"),
        ("two\n# lines", r"two \# lines"),
    ],
)
def test_markdown_escapes_what_would_act(text, expected):
    assert markdown(text) == expected


def test_equal_input_gives_equal_bytes_in_any_folder(pristine, written, tmp_path):
    write_report(pristine, tmp_path)
    files = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert [str(file) for file in files] == [
        "figures/mnist5k-corner.svg",
        "report.html",
        "report.md",
        "samples/mnist5k-corner.png",
    ]
    assert all((tmp_path / file).read_bytes() == (written / file).read_bytes() for file in files)


def test_what_is_absent_is_left_out(results):
    for path in [results / "claims.csv", *results.glob("samples/*"), *results.glob("gallery/*")]:
        path.unlink()
    write_report(results)
    page = Page((results / "report.html").read_text())
    assert not [tag for tag, _ in page.elements if tag in ("img", "image")]
    assert "claims" not in page.tables and "![Contact" not in (results / "report.md").read_text()


def test_a_shared_title_heads_the_section_and_another_stands_beside_its_method(results, edit_suite):
    edit_suite(lambda suite: [cell.update(title="Digits & corners") for cell in suite["cells"]])
    write_report(results)
    assert "## Digits &amp; corners" in (results / "report.md").read_text()
    edit_suite(lambda suite: suite["cells"][0].update(title="Plain classifier"))
    write_report(results)
    assert "| erm (Plain classifier) |" in (results / "report.md").read_text()
