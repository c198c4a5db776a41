"""What moved: the rule by hand, how two sides are matched, and what git has."""

import csv
import json
import math
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.report.against import Number, Side, compare, find_side, read_side
from benchmark.report.moves import counts, csv_text, json_text, markdown_text
from benchmark.report.records import Selection

KEY = ("mnist5k-corner", "erm", "iid", "accuracy")


def side(numbers, name="old", task=KEY[0]):
    """``numbers``: method to value, low and high, all of accuracy on iid."""
    return Side(name, {(task, method, *KEY[2:]): Number("generalization", *three) for method, three in numbers.items()})


def verdicts(old, new):
    return {move.method: move.verdict for move in compare(side(old), side(new, "new")).moves}


def test_a_number_moves_when_it_leaves_the_band_of_both_intervals():
    old = dict.fromkeys(("inside", "outside", "below"), (0.5, 0.47, 0.53))
    # half widths 0.03 and 0.04: the band is 0.05
    new = {"inside": (0.5499, 0.5099, 0.5899), "outside": (0.5501, 0.5101, 0.5901), "below": (0.4499, 0.4099, 0.4899)}
    assert verdicts(old, new) == {"inside": "within", "outside": "moved", "below": "moved"}
    move = next(m for m in compare(side(old), side(new)).moves if m.method == "outside")
    assert move.band == pytest.approx(0.05) and move.difference == pytest.approx(0.0501)
    assert (move.old, move.old_low, move.new_high) == (0.5, 0.47, 0.5901)


def test_what_has_no_partner_or_no_interval_says_so():
    old = {"gone": (0.5, 0.4, 0.6), "emptied": (0.5, 0.4, 0.6), "bare": (0.5, None, None), "same": (0.5, None, None)}
    new = {"emptied": (None, None, None), "bare": (0.6, 0.5, 0.7), "same": (0.5, None, None), "fresh": (0.5, 0.4, 0.6)}
    expected = {"gone": "gone", "emptied": "gone", "bare": "no interval", "same": "within", "fresh": "new"}
    assert verdicts(old, new) == expected


def test_a_number_that_neither_side_has_is_no_row():
    assert verdicts({"a": (None, None, None), "b": (1, 1, 1)}, {"a": (None, None, None), "b": (1, 1, 1)}) == {
        "b": "within"
    }


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.3), st.floats(0, 0.3), st.floats(-0.5, 0.5), st.booleans())
def test_the_verdict_is_symmetric_and_does_not_depend_on_where_the_scale_begins(one, other, half, width, shift, swap):
    old, new = {"m": (one, one - half, one + half)}, {"m": (other, other - width, other + width)}
    if abs(abs(one - other) - math.hypot(half, width)) < 1e-6:
        return
    moved = {method: tuple(x + shift for x in three) for method, three in (new if swap else old).items()}
    still = {method: tuple(x + shift for x in three) for method, three in (old if swap else new).items()}
    assert verdicts(old, new) == verdicts(new, old) == verdicts(moved, still)


def test_sides_with_one_task_each_are_matched_and_the_text_says_so():
    compared = compare(side({"erm": (0.5, 0.4, 0.6)}, task="a-b"), side({"erm": (0.9, 0.8, 1.0)}, "new", task="c-d"))
    (move,) = compared.moves
    assert (move.task, move.verdict) == ("c-d", "moved")
    (note,) = compared.notes
    assert "a-b" in note and "c-d" in note and note in markdown_text(compared)


def test_sides_with_other_tasks_are_refused_when_nothing_tells_which_belongs_to_which():
    two = Side("two", {**side({"erm": (1, 1, 1)}, task="a-b").numbers, **side({"erm": (1, 1, 1)}, task="a-c").numbers})
    with pytest.raises(BenchmarkError, match="expected a common task"):
        compare(two, side({"erm": (1, 1, 1)}, "new"))


def test_a_common_task_is_compared_and_tasks_of_one_side_are_gone_or_new():
    two = Side("two", {**side({"erm": (1, 1, 1)}).numbers, **side({"erm": (1, 1, 1)}, task="a-c").numbers})
    found = {move.task: move.verdict for move in compare(two, side({"erm": (1, 1, 1)}, "new")).moves}
    assert found == {"mnist5k-corner": "within", "a-c": "gone"}


def test_a_selection_is_of_both_sides_and_an_empty_comparison_is_refused():
    old, new = side({"erm": (0.5, 0.4, 0.6), "gone": (0.5, 0.4, 0.6)}), side({"erm": (0.5, 0.4, 0.6)})
    chosen = compare(old, new, Selection(frozenset({"gone"}), None))
    assert [move.method for move in chosen.moves] == ["gone"]
    with pytest.raises(BenchmarkError, match="nothing to compare"):
        compare(old, new, Selection(None, frozenset({"ece"})))


def test_the_texts_hold_every_row_and_the_markdown_what_matters():
    old = {"near": (0.5, 0.49, 0.51), "far": (0.5, 0.49, 0.51), "still": (0.5, 0.4, 0.6), "gone": (0.5, 0.4, 0.6)}
    new = {"near": (0.52, 0.51, 0.53), "far": (0.9, 0.89, 0.91), "still": (0.5, 0.4, 0.6)}
    compared = compare(side(old), side(new, "new"))
    assert counts(compared) == {"moved": 2, "gone": 1, "new": 0, "no interval": 0, "within": 1}
    table = list(csv.DictReader(csv_text(compared).splitlines()))
    assert [(row["method"], row["verdict"]) for row in table] == [
        ("near", "moved"), ("far", "moved"), ("gone", "gone"), ("still", "within")
    ]  # fmt: skip
    assert float(table[1]["new"]) == 0.9 and table[2]["new"] == ""
    whole = json.loads(json_text(compared))
    assert whole["counts"] == counts(compared) and len(whole["rows"]) == 4 and whole["rows"][2]["new"] is None
    text = markdown_text(compared)
    assert "4 numbers: 2 moved, 1 gone, 0 new, 0 no interval, 1 within." in text
    assert text.index("| far |") < text.index("| near |")  # the farthest first
    assert "| 0.500 [0.490, 0.510] | 0.900 [0.890, 0.910] | 0.400 | 0.014 |" in text
    assert "- mnist5k-corner, gone: 1 (iid accuracy)" in text and "still" not in text


def test_a_folder_holds_the_numbers_of_its_summary(pristine, rows):
    found = read_side(pristine).numbers
    assert len(found) == len(rows("summary.csv"))
    for row in rows("summary.csv"):
        number = found["mnist5k-corner", row["method"], row["variant"], row["metric"]]
        assert (number.value, number.low, number.high) == tuple(float(row[n]) for n in ("value", "low", "high"))


def git(folder, *arguments):
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(results, edit):
    """A checkout whose second commit moved one number and whose first has no results; its folder and hashes."""
    root = results.parent
    git(root, "init", "-q")
    (root / "readme").write_text("nothing yet")
    git(root, "add", "readme")
    git(root, "commit", "-qm", "first")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "second")

    def move(table):
        row = next(r for r in table if (r["method"], r["variant"], r["metric"]) == ("isnet_path", "ood", "accuracy"))
        row.update(value="0.5", low="0.45", high="0.55")

    edit("summary.csv", move)
    git(root, "commit", "-qam", "third")
    return results, git(root, "log", "--format=%h").splitlines()[::-1]


def test_a_revision_is_what_was_committed_then(checkout):
    folder, (_, second, _) = checkout
    for name in (second, "HEAD~1"):
        compared = compare(find_side(name, folder), read_side(folder))
        (moved,) = (move for move in compared.moves if move.verdict == "moved")
        assert (moved.method, moved.variant, moved.metric, moved.new) == ("isnet_path", "ood", "accuracy", 0.5)
        assert moved.old == pytest.approx((0.958 + 0.963 + 0.954) / 3)
        assert second not in compared.new and name in compared.old
    assert counts(compare(find_side("HEAD", folder), read_side(folder)))["moved"] == 0


def test_what_git_does_not_have_is_told(checkout, tmp_path_factory):
    folder, (first, *_) = checkout
    with pytest.raises(BenchmarkError, match="unknown suite, folder or git revision; got 'nowhere'"):
        find_side("nowhere", folder)
    with pytest.raises(BenchmarkError, match=rf"summary.csv of .* at {first}; got 'no such file'"):
        find_side(first, folder)
    with pytest.raises(BenchmarkError, match="unknown suite, folder or git revision"):
        find_side("--output=stolen", folder)  # a revision is never an option
    assert not (folder / "stolen").exists()
    with pytest.raises(BenchmarkError, match=r"folder has no summary\.csv"):
        find_side(str(folder.parent), folder)
    outside = tmp_path_factory.mktemp("outside")
    with pytest.raises(BenchmarkError, match="a results folder in a git checkout"):
        find_side("HEAD", outside)


def test_a_broken_file_at_a_revision_is_named(checkout):
    folder, _ = checkout
    (folder / "summary.csv").write_text("dataset,bias\nmnist5k,corner\n")
    git(folder, "commit", "-qam", "broken")
    with pytest.raises(BenchmarkError, match=r"summary\.csv at HEAD lacks column 'method'"):
        find_side("HEAD", folder)


def test_a_suite_against_itself_has_not_moved(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    folder = Path("results/default")
    compared = compare(find_side("default", folder), read_side(folder))
    with (folder / "summary.csv").open(newline="") as stream:
        defined = sum(bool(row["value"]) for row in csv.DictReader(stream))
    assert counts(compared) == {"moved": 0, "gone": 0, "new": 0, "no interval": 0, "within": defined}
