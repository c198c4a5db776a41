"""What a person reads: lines in a terminal, and the summary of a pull request."""

from pathlib import Path

import pytest

from benchmark.check import show
from benchmark.check.found import Left, Moved, Part
from benchmark.errors import BenchmarkError

MOVED = Moved("summary.csv", "made corner erm iid accuracy", "value", "0.9", "0.8", "± 1e-09")


def part(moved: int = 0, **rest: list) -> Part:
    return Part("default", "tables", compared=100, moved=[MOVED] * moved, **rest)


def test_lines_tell_what_moved_what_was_left_and_the_count() -> None:
    told = show.lines([part(1, left=[Left("slopes.csv", "no such file")], notes=["bits as recorded"])])
    assert told == [
        "DRIFT summary.csv: made corner erm iid accuracy: value: recorded 0.9, found 0.8, allowed ± 1e-09",
        "bits as recorded",
        "not checked: slopes.csv (no such file)",
        "default: tables: 100 compared, 1 moved",
    ]


def test_many_lines_are_cut_and_counted() -> None:
    told = show.lines([part(show.MOST_LINES + 7)])
    assert len(told) == show.MOST_LINES + 2
    assert told[-2:] == ["... and 7 more", f"default: tables: 100 compared, {show.MOST_LINES + 7} moved"]


@pytest.mark.parametrize(
    ("parts", "first"),
    [
        ([part()], "all 100 as recorded"),
        ([part(), part(2)], "2 moved"),
        ([Part("tb", "stale", left=[Left("suite tb", "no results")])], "nothing was compared"),
    ],
)
def test_the_verdict_comes_first(parts, first) -> None:
    assert show.markdown(parts).startswith(f"## Regression check: {first}\n\n| suite | what | compared | moved |\n")


@pytest.mark.parametrize(
    ("left", "refused"),
    [
        ([], True),
        ([Left("x", "why")], True),
        ([Left("x", "skipped", excused=True)], False),
        ([Left("x", "skipped", excused=True), Left("y", "why")], True),
    ],
)
def test_only_a_good_reason_excuses_a_check_of_nothing(left, refused) -> None:
    nothing = Part("default", "tables", left=left)
    if refused:
        with pytest.raises(BenchmarkError, match="nothing was compared"):
            show.require_something([nothing])
    else:
        show.require_something([nothing])
    show.require_something([nothing, part()])


def test_a_summary_has_a_table_of_what_moved_and_a_list_of_what_was_not_checked() -> None:
    text = show.markdown([part(1, left=[Left("slopes.csv", "no such file")], notes=["bits as recorded"])])
    assert "| default | tables | 100 | 1 |" in text
    row = "| default | summary.csv | made corner erm iid accuracy | value | 0.9 | 0.8 | ± 1e-09 |"
    head = "| suite | where | row | column | recorded | found | allowed |"
    assert f"{head}\n| --- | --- | --- | --- | --- | --- | --- |\n{row}\n" in text
    assert "### Not checked\n\n- slopes.csv: no such file\n" in text
    assert "### Notes\n\n- bits as recorded\n" in text


def test_a_quiet_summary_has_no_empty_headings() -> None:
    assert "###" not in show.markdown([part()])


def test_a_long_table_is_cut_and_counted() -> None:
    text = show.markdown([part(show.MOST_ROWS + 3)])
    assert text.count("made corner erm") == show.MOST_ROWS
    assert "… and 3 more." in text


@pytest.mark.parametrize(
    ("text", "cell"), [("a|b", r"a\|b"), ("a\nb", "a b"), ("<b>", "&lt;b>"), ("a\\|b", r"a\\\|b"), ("", " ")]
)
def test_no_text_leaves_its_cell(text: str, cell: str) -> None:
    assert show.table(["x"], [[text]])[2] == f"| {cell} |"


def test_the_summary_is_added_to_the_jobs_or_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(show.SUMMARY, raising=False)
    show.publish("printed")
    assert capsys.readouterr().out == "printed\n"
    monkeypatch.setenv(show.SUMMARY, str(tmp_path / "summary.md"))
    show.publish("first")
    show.publish("second")
    assert capsys.readouterr().out == ""
    assert (tmp_path / "summary.md").read_text() == "first\nsecond\n"


def test_a_check_that_could_not_be_made_says_so() -> None:
    text = show.failed(BenchmarkError("pack x is missing", do="Run `dvc repro`."))
    assert text == "## Regression check: not possible\n\npack x is missing. Run `dvc repro`.\n"
