"""Records: made by the commands and by hand, verified, and refused with the reason."""

import base64
import copy
import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score
from submitted import (
    DATA,
    ID,
    LABEL,
    PROTOCOL,
    ROOT,
    SEEDS,
    K,
    N,
    by_hand,
    images,
    packed,
    predictions,
    put,
    signed,
    table,
    write_rows,
)

from benchmark import paths
from benchmark.cli.main import main
from benchmark.errors import BenchmarkError
from benchmark.files import sha256_file
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown
from benchmark.stats.track import Track
from benchmark.submission import protocol
from benchmark.submission.check import verify
from benchmark.submission.make import make_record, sees
from benchmark.submission.stored import read_task
from benchmark.submission.unmatched import unmatched_difference

MINE = predictions(3)


def submitted(capsys, file, *more):
    """Exit code, standard output and error of ``submit``."""
    code = main(["submit", "--suite", "toy", "--method", "mine", "--predictions", str(file), "--out", "r.json", *more])
    return code, *capsys.readouterr()


def verified(capsys, record=None, *more):
    if record is not None:
        Path("r.json").write_text(json.dumps(record))
    code = main(["verify", "r.json", *more])
    return code, *capsys.readouterr()


@pytest.fixture
def record(project):
    """A good one, with claims."""
    return make_record(MINE, read_task("toy"), "mine", sees(["masks"]), backbone="", source="somebody", note="")


def test_the_protocol_is_that_of_the_rules():
    title = (ROOT / "RULES.md").read_text(encoding="utf-8").splitlines()[0]
    assert title == f"# Rules: protocol {protocol.PROTOCOL}"


# --- from predictions to a verified record ------------------------------------------------------


def test_a_record_written_by_hand_is_verified_with_the_scores_of_other_tools(project):
    found = verify(by_hand(MINE))
    assert found.compared == 0
    for variant, runs in MINE.logits.items():
        hits = (runs.argmax(2) == LABEL).mean(1)
        assert found.tracks[variant, "accuracy"].values == pytest.approx(hits)
        f1 = [f1_score(LABEL, run.argmax(1), average="macro") for run in runs]
        assert found.tracks[variant, "macro_f1"].values == pytest.approx(f1)
        np.testing.assert_array_equal(found.predictions.logits[variant], runs)


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_what_submit_writes_is_verified_to_the_bit(kind, project, capsys):
    file = project / f"mine.{kind}"
    if kind == "npz":
        MINE.write(file)
    else:
        head, *rows = table(MINE)
        write_rows(file, [head, *np.random.default_rng(0).permutation(rows).tolist()])
    code, told, error = submitted(capsys, file, "--needs", "masks,groups", "--source", "somebody")
    assert (code, error) == (0, "")
    assert "mine on toy-corner, 2 variants, 3 seeds, 12 scores" in told
    code, told, error = verified(capsys, None, "--npz", "back.npz")
    assert (code, error) == (0, "")
    assert told.startswith("verified: mine on toy-corner, suite toy, seeds 0, 1, 2; 72 claimed numbers")
    back = Predictions.read(project / "back.npz")
    for variant, logits in MINE.logits.items():
        np.testing.assert_array_equal(back.logits[variant], logits)
    written = json.loads((project / "r.json").read_text())
    assert written["sees"] == dict.fromkeys(("masks", "groups"), True) | dict.fromkeys(
        ("balanced", "external", "mask_at_test"), False
    )
    assert written["environment"]["numpy"] == np.__version__
    assert written == signed(written)


def test_images_in_another_order_are_put_into_the_suites(project, capsys):
    order = np.random.default_rng(1).permutation(N)
    shown = dict.fromkeys(MINE.tested, images(id=ID[order], unit=ID[order], label=LABEL[order]))
    mixed = Predictions(MINE.seeds, shown, {v: runs[:, order] for v, runs in MINE.logits.items()})
    mixed.write(project / "mixed.npz")
    assert submitted(capsys, project / "mixed.npz")[0] == 0
    found = verify(json.loads((project / "r.json").read_text()))
    np.testing.assert_array_equal(found.predictions.logits["deceiving"], MINE.logits["deceiving"])


def test_where_no_pack_is_the_data_hash_is_taken_on_trust_and_told(project, capsys):
    file = write_rows(project / "mine.csv", table(MINE))
    assert "on trust" in submitted(capsys, file)[1]
    pack = paths.biased_pack("toy-corner")
    pack.parent.mkdir(parents=True)
    pack.write_bytes(b"other images")
    code, _, error = submitted(capsys, file)
    assert code == 1 and "was made on other data" in error and sha256_file(pack)[:12] in error


def test_the_method_stands_beside_the_suites_own_among_those_that_see_the_same(record, capsys):
    _, told, _ = verified(capsys, record)
    lines = told.splitlines()
    assert [line.split("  ")[0] for line in lines[3:6]] == ["erm", "isnet", "mine *"]
    assert lines[2].split()[:4] == ["method", "sees", "iid", "deceiving"]
    deceiving = (MINE.logits["deceiving"].argmax(2) == LABEL).mean()
    assert f"{deceiving:.3f} [" in lines[5]
    assert "Not verified" in told and "variances of both sides' seeds add" in told
    _, told, _ = verified(capsys, record, "--format", "md")
    assert "| mine * | training masks |" in told


def test_holms_family_counts_the_submitted_method(record):
    from benchmark.submission.beside import lines_of

    lines = {line.method: line for line in lines_of(verify(record))}
    p = {name: line.found.p for name, line in lines.items() if line.found}
    assert p.keys() == {"isnet", "mine"}
    small, large = sorted(p, key=p.get)
    assert lines[small].p_holm == pytest.approx(min(1, 2 * p[small]))
    assert lines[large].p_holm == pytest.approx(max(p[large], min(1, 2 * p[small])))


def test_a_single_seed_is_told_to_speak_of_one_model(project, capsys):
    one = predictions(3, seeds=1)
    code, told, _ = verified(capsys, by_hand(one))
    assert code == 0 and "One seed: its intervals and its p speak of this trained model alone" in told


# --- a difference whose seeds are not matched -----------------------------------------------------


def track(values, draws, n_units=1000):
    from benchmark.metrics.generalization import ACCURACY

    return Track(ACCURACY, "iid", np.array(values), np.array(draws), np.full(len(values), n_units))


def test_variances_of_both_sides_seeds_add():
    rng = np.random.default_rng(0)
    ours, theirs = [0.5, 0.6, 0.55], [0.3, 0.34, 0.31, 0.28, 0.33]
    common = rng.normal(0, 0.01, 4000)
    found = unmatched_difference(
        track(ours, [v + common + rng.normal(0, 0.02, 4000) for v in ours]),
        track(theirs, [v + common for v in theirs]),
    )
    # What both sides share in a draw cancels; our noise is a mean of three.
    parts = {999: 0.02**2 / 3, 2: np.var(ours, ddof=1) / 3, 4: np.var(theirs, ddof=1) / 5}
    variance = sum(parts.values())
    df = variance / sum(part / freedom for freedom, part in parts.items())
    assert found.interval.value == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert found.interval.se == pytest.approx(math.sqrt(variance), rel=0.02)
    assert found.interval.df == pytest.approx(df, rel=0.02)
    half = stats.t.ppf(0.975, df) * math.sqrt(variance)
    assert found.interval.high - found.interval.value == pytest.approx(half, rel=0.03)
    assert found.p == pytest.approx(2 * stats.t.sf(found.interval.value / math.sqrt(variance), df), rel=0.1)


def test_another_numbering_of_seeds_changes_no_difference(project):
    isnet = predictions(4)
    turned = Predictions(MINE.seeds, isnet.tested, {v: runs[::-1] for v, runs in isnet.logits.items()})
    found = [
        unmatched_difference(*(verify(by_hand(p)).tracks["deceiving", "accuracy"] for p in pair))
        for pair in ((isnet, MINE), (turned, MINE))
    ]
    assert found[0].interval.value == pytest.approx(found[1].interval.value)
    assert found[0].interval.high == pytest.approx(found[1].interval.high)


def test_no_variance_means_no_bounds():
    flat = track([0.5, 0.5], np.full((2, 100), 0.5))
    found = unmatched_difference(flat, flat)
    assert found.interval.value == 0 and math.isnan(found.interval.low) and math.isnan(found.p)


# --- refused by submit ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["erm", "isnet", "group_dro", "Mine", "../mine"])
def test_a_name_that_is_taken_or_none_is_refused_before_anything_is_read(name, project, capsys):
    call = ["submit", "--suite", "toy", "--method", name, "--predictions", "no such file", "--out", "r.json"]
    assert main(call) == 1
    told = capsys.readouterr().err
    assert "is there already" in told or "name is not usable" in told


@pytest.mark.parametrize(
    ("file", "more", "words"),
    [
        ("none.csv", [], "expected a file .npz or .csv"),
        ("mine.txt", [], "expected a file .npz or .csv"),
        ("mine.npz", ["--needs", "mask"], "did you mean 'masks'"),
        ("mine.npz", ["--note", "x" * 2001], "field note of the record"),
        ("mine.npz", ["--task", "toy-border"], "unknown task"),
    ],
)
def test_a_wrong_call_is_one_line_and_writes_nothing(file, more, words, project, capsys):
    MINE.write(project / "mine.npz")
    (project / "mine.txt").write_text("")
    code, told, error = submitted(capsys, project / file, *more)
    assert (code, told, error.count("\n")) == (1, "", 1)
    assert words in error
    assert not (project / "r.json").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tested": {"iid": images()}, "logits": {"iid": MINE.logits["iid"]}}, "expected iid, deceiving"),
        ({"tested": dict.fromkeys(MINE.tested, images(id=np.char.add("x", ID)))}, "of which 0 are of the task"),
        ({"tested": dict.fromkeys(MINE.tested, images(label=(LABEL + 1) % K))}, "label of image 'image_00'"),
        ({"logits": {v: np.zeros((1, N, K + 1), np.float32) for v in MINE.tested}, "seeds": [0]}, "classes of iid"),
        ({"attributes": {"data": "f" * 64}}, "was made on other data"),
    ],
)
def test_predictions_of_something_else_are_refused(changes, words, project, capsys):
    content = {"seeds": MINE.seeds, "tested": MINE.tested, "logits": MINE.logits} | changes
    Predictions(**content).write(project / "other.npz")
    code, _, error = submitted(capsys, project / "other.npz")
    assert code == 1 and words in error


def without(rows, *chosen):
    return [row for number, row in enumerate(rows) if number not in chosen]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda rows: without(rows, 3),
            "lacks rows of iid, seed 0; got '39 of 40 images; the first that lacks one is image_02'",
        ),
        (lambda rows: [*rows, rows[5]], "line 242 of mine.csv is there twice; got 'image_04, iid, seed 0'"),
        (lambda rows: rows[: 1 + N * SEEDS], "lacks rows of deceiving, seed 0"),
        (lambda rows: rows[:1], "holds no row"),
        (lambda rows: [], "columns of mine.csv"),
        (lambda rows: [row[:-1] for row in rows], "expected id,variant,seed,logit_0,logit_1,logit_2"),
        (lambda rows: [*rows, ["x", "iid", "0", "1", "1", "1"]], "a test image of toy-corner on iid"),
        (lambda rows: [*rows, ["image_00", "odd", "0", "1", "1", "1"]], "unknown variant in line 242"),
        (lambda rows: [*rows, ["image_00", "iid", "-1", "1", "1", "1"]], "seed in line 242"),
        (lambda rows: [*rows, ["image_00", "iid", "1.0", "1", "1", "1"]], "seed in line 242"),
        (lambda rows: [*rows, ["image_00", "iid", "9" * 11, "1", "1", "1"]], "seed in line 242"),
        (lambda rows: [*rows, ["image_00", "iid", "9", "1", "1", ""]], "logits in line 242"),
        (lambda rows: [*rows, ["image_00", "iid", "9", "1", "1", "nan"]], "expected finite float32 numbers"),
        (lambda rows: [*rows, ["image_00", "iid", "9", "1", "1", "1e39"]], "expected finite float32 numbers"),
        (lambda rows: [*rows, ["image_00", "iid", "9", "1", "1"]], "got '5 fields'; expected 6"),
        (lambda rows: [*rows, ['"image_00', "iid"]], "is no CSV"),
    ],
)
def test_a_table_that_is_not_whole_is_refused_with_its_line(change, words, project, capsys):
    file = write_rows(project / "mine.csv", change(table(MINE)))
    code, _, error = submitted(capsys, file)
    assert code == 1
    assert words in error


def test_a_table_may_begin_with_a_byte_order_mark_and_end_lines_as_windows_does(project, capsys):
    text = "\r\n".join(",".join(row) for row in table(MINE))
    (project / "mine.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert submitted(capsys, project / "mine.csv")[0] == 0


def test_bytes_that_are_no_text_are_no_table(project, capsys):
    (project / "mine.csv").write_bytes(b"\xff\xfe\x00")
    code, _, error = submitted(capsys, project / "mine.csv")
    assert code == 1 and "is no CSV" in error


# --- whole, and not what they are taken for ---------------------------------------------------------


def softmaxed(decimals, seeds=SEEDS):
    """``MINE`` as probabilities of so many decimals."""
    stored = predictions(3, seeds=seeds)
    p = {v: np.exp(runs.astype(float)) for v, runs in stored.logits.items()}
    logits = {v: np.round(e / e.sum(2, keepdims=True), decimals) for v, e in p.items()}
    return Predictions(stored.seeds, stored.tested, logits, attributes=stored.attributes)


def handed_in(stored, kind, folder):
    file = folder / f"mine.{kind}"
    stored.write(file) if kind == "npz" else write_rows(file, table(stored))
    return file


@pytest.mark.parametrize("kind", ["npz", "csv"])
@pytest.mark.parametrize("decimals", [2, 4])
def test_probabilities_that_were_rounded_are_refused_and_not_read_as_logits(decimals, kind, project, capsys):
    code, told, error = submitted(capsys, handed_in(softmaxed(decimals), kind, project))
    assert (code, told, error.count("\n")) == (1, "", 1)
    assert (
        "probabilities of iid, seed 0 are rounded" in error
        and "Write more decimals (6 or more), or the logits" in error
    )


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_probabilities_with_six_decimals_are_probabilities(kind, project, capsys):
    assert submitted(capsys, handed_in(softmaxed(6), kind, project))[0] == 0
    claimed = {(c["variant"], c["metric"]): c["value"] for c in json.loads(Path("r.json").read_text())["scores"]}
    p = softmaxed(15).logits["iid"]
    assert claimed["iid", "brier"] == pytest.approx(((p - np.eye(K)[LABEL]) ** 2).sum(2).mean(), abs=1e-5)


def test_a_record_of_rounded_probabilities_is_refused(project, capsys):
    code, _, error = verified(capsys, by_hand(softmaxed(4)))
    assert code == 1 and "are rounded" in error


def test_logits_between_0_and_1_are_logits(project, capsys):
    squeezed = {v: (runs - runs.min()) / np.ptp(runs) for v, runs in MINE.logits.items()}
    assert submitted(capsys, handed_in(Predictions(MINE.seeds, MINE.tested, squeezed), "npz", project))[0] == 0


def test_one_training_under_two_seeds_is_refused(project, capsys):
    doubled = {v: runs[[0, 1, 0]] for v, runs in MINE.logits.items()}
    again = Predictions(MINE.seeds, MINE.tested, doubled, attributes=MINE.attributes)
    code, told, error = submitted(capsys, handed_in(again, "npz", project))
    assert (code, told) == (1, "") and "logits of seeds 0 and 2 are equal on every variant" in error
    assert "One training handed in as several narrows the bounds" in error
    code, _, error = verified(capsys, by_hand(again))
    assert code == 1 and "logits of seeds 0 and 2 are equal" in error


def test_two_seeds_that_are_alike_on_one_variant_alone_are_two(project):
    partly = MINE.logits | {"iid": MINE.logits["iid"][[0, 0, 1]]}
    assert verify(by_hand(Predictions(MINE.seeds, MINE.tested, partly))).equal == ()


def test_answers_of_the_suites_own_are_told(project, capsys):
    code, told, _ = verified(capsys, by_hand(predictions(4)))
    assert (
        code == 0
        and "Its answers are, bit by bit, those that the suite stores of isnet: no training of its own" in told
    )
    one_of_them = {v: runs[[2]] for v, runs in predictions(4).logits.items()}
    found = verify(by_hand(Predictions(np.array([7]), MINE.tested, one_of_them)))
    assert [cell.method for cell in found.equal] == ["isnet"]
    assert "bit by bit" not in verified(capsys, by_hand(MINE))[1]


# --- files that cannot be written -------------------------------------------------------------------


def test_a_file_that_cannot_be_written_is_one_line(project, capsys):
    file = handed_in(MINE, "npz", project)
    (project / "file").write_text("")
    (project / "full").mkdir()
    (project / "full" / "x").write_text("")
    for out in ("file/r.json", "full"):
        call = ["submit", "--suite", "toy", "--method", "mine", "--predictions", str(file), "--out", out]
        assert main(call) == 1
        told = capsys.readouterr()
        assert (
            (told.out, told.err.count("\n")) == ("", 1)
            and told.err.startswith("error: ")
            and out.split("/")[0] in told.err
        )
    verified(capsys, by_hand(MINE))
    assert main(["verify", "r.json", "--npz", "full"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


# --- refused by verify ------------------------------------------------------------------------------


def changed(record, change):
    """The record after a change in place, with the hash that belongs to it."""
    other = copy.deepcopy(record)
    change(other)
    return signed(other)


def put_in(*path, value):
    def change(record):
        place = record
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def twice(record):
    record["logits"].append(record["logits"][0])


LOGITS = [1.0] * (N * K - 1)

REFUSALS = {
    "another schema version": (put_in("schema_version", value=2), "schema version of the record is 2; expected 1"),
    "a schema version that is no number": (
        put_in("schema_version", value=True),
        "schema version of the record is True",
    ),
    "another protocol": (
        put_in("protocol", value=PROTOCOL - 1),
        f"protocol of the record is {PROTOCOL - 1}; expected {PROTOCOL}",
    ),
    "another suite": (put_in("suite", value="elsewhere"), "unknown suite with predictions"),
    "a suite outside": (put_in("suite", value="../toy"), "field suite of the record"),
    "another task": (put_in("task", value="toy-border"), "unknown task"),
    "a method of the suite": (put_in("method", value="isnet"), "method 'isnet' is there already"),
    "a method of the benchmark": (put_in("method", value="group_dro"), "method 'group_dro' is there already"),
    "other data": (put_in("data", value="f" * 64), f"got '{'f' * 64}'; expected {DATA}"),
    "a short data hash": (put_in("data", value=DATA[:12]), "field data of the record"),
    "another number of classes": (put_in("classes", value=4), "classes of the record; got 4; expected 3"),
    "other images": (
        put_in("images", "iid", "sha256", value="f" * 64),
        "images of iid; got '40 with hash ffffffffffff'",
    ),
    "fewer images": (put_in("images", "iid", "count", value=39), "images of iid; got '39 with hash"),
    "a variant less": (lambda r: r["images"].pop("iid"), "variants of the record; got 'deceiving'"),
    "a variant more": (lambda r: r["images"].update(ood=r["images"]["iid"]), "got 'iid, deceiving, ood'"),
    "an unknown variant": (lambda r: r["images"].update(odd=r["images"]["iid"]), "field images.odd"),
    "no seed": (put_in("seeds", value=[]), "field seeds of the record"),
    "a seed twice": (put_in("seeds", value=[0, 1, 1]), "expected different seeds"),
    "a seed more": (put_in("seeds", value=[0, 1, 2, 3]), "logits of iid, seed 3 are missing"),
    "a seed less": (put_in("seeds", value=[0, 1]), "logits of iid, seed 2; expected one of the seeds"),
    "a negative seed": (put_in("seeds", value=[-1, 1, 2]), "field seeds.0"),
    "a seed that is a fraction": (put_in("seeds", value=[0.0, 1, 2]), "field seeds.0"),
    "too many seeds": (put_in("seeds", value=list(range(101))), "field seeds of the record"),
    "logits twice": (twice, "logits of iid, seed 0 are there twice"),
    "logits missing": (lambda r: r["logits"].pop(), "logits of deceiving, seed 2 are missing"),
    "logits of another variant": (lambda r: r["logits"][0].update(variant="ood"), "unknown variant in logits"),
    "too few logits": (put_in("logits", 0, "float32", value=packed(LOGITS)), f"got '{4 * N * K - 4} bytes'"),
    "logits that are NaN": (
        put_in("logits", 0, "float32", value=packed([*LOGITS, math.nan])),
        "logits of iid, seed 0 are not finite; got '1 of 40 images, the first in row 39'",
    ),
    "infinite logits": (put_in("logits", 1, "float32", value=packed([math.inf, *LOGITS])), "are not finite"),
    "logits that are no base64": (put_in("logits", 0, "float32", value="@" * 640), "field logits.0.float32"),
    "base64 without padding": (put_in("logits", 0, "float32", value="A" * 5), "logits of iid, seed 0; got"),
    "an unknown field": (put_in("gpu", value="yes"), "field gpu of the record; got 'yes'"),
    "a field less": (lambda r: r.pop("seeds"), "field seeds of the record"),
    "a number in quotes": (put_in("classes", value="3"), "field classes of the record; got '3'"),
    "what it sees in words": (put_in("sees", value="nothing"), "field sees"),
    "a score that is too high": (
        lambda r: r["scores"][0]["per_seed"].__setitem__(1, 1.0),
        "are not what the logits yield",
    ),
    "a mean that is too high": (lambda r: r["scores"][0].update(value=0.5), "accuracy on iid, mean; got 0.5"),
    "a bound that is too high": (lambda r: r["scores"][0].update(low=0.999), "accuracy on iid, lower bound"),
    "a score for other seeds": (lambda r: r["scores"][0]["per_seed"].pop(), "got '2 values'; expected 3, one a seed"),
    "a score twice": (lambda r: r["scores"].append(r["scores"][0]), "score accuracy on iid is claimed twice"),
    "a score elsewhere": (lambda r: r["scores"][0].update(variant="ood"), "unknown variant in scores"),
    "a score by another metric": (lambda r: r["scores"][0].update(metric="beauty"), "field scores.0.metric"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_verify_refuses(what, record, capsys):
    change, words = REFUSALS[what]
    code, told, error = verified(capsys, changed(record, change))
    assert (code, told, error.count("\n")) == (1, "", 1)
    assert error.startswith("error: ") and words in error


def test_a_score_off_by_rounding_is_let_through_and_one_beyond_is_not(record, capsys):
    for error, code in ((0.9e-9, 0), (1.1e-9, 1)):
        other = changed(record, lambda r, by=error: r["scores"][3].update(value=r["scores"][3]["value"] + by))
        assert verified(capsys, other)[0] == code


def test_a_bound_that_is_not_claimed_is_not_compared(record):
    everything = verify(record).compared
    other = changed(record, lambda r: [claim.update(low=None, high=None) for claim in r["scores"]])
    assert verify(other).compared == everything - 2 * len(record["scores"])


def test_a_changed_record_has_another_hash(record):
    for change in (
        put_in("note", value="best method ever"),
        put_in("sees", "masks", value=False),
        lambda r: r["logits"].reverse(),
        lambda r: r["environment"].update(numpy="1"),
    ):
        other = copy.deepcopy(record)
        change(other)
        with pytest.raises(BenchmarkError, match="hash of the record"):
            verify(other)


def test_one_flipped_bit_of_the_logits_is_found(record):
    raw = bytearray(base64.b64decode(record["logits"][2]["float32"]))
    raw[17] ^= 4
    record["logits"][2]["float32"] = base64.b64encode(raw).decode()
    with pytest.raises(BenchmarkError, match="hash of the record"):
        verify(record)


def test_a_record_of_another_suite_than_asked_for_is_refused(record, capsys):
    put("erm", predictions(2), suite="other")
    code, _, error = verified(capsys, record, "--suite", "other")
    assert code == 1 and "suite of the record; got 'toy'; expected other" in error


def test_a_record_of_images_that_have_changed_since_is_refused(record, capsys):
    for method, number in (("erm", 2), ("isnet", 4)):
        shown = Shown(ID, ID, np.full(N, "here"), np.roll(LABEL, 1))
        put(method, predictions(number, tested=dict.fromkeys(MINE.tested, shown)))
    code, _, error = verified(capsys, record)
    assert code == 1 and "images of iid; got '40 with hash" in error


# --- the predictions that ship --------------------------------------------------------------------


def test_erms_own_predictions_taken_for_a_strangers_give_erms_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # Without the suite's other methods, which take time and decide nothing.
    for part, end in (("predictions", "npz"), ("cells", "json")):
        name = Path("results", "default", part, f"mnist5k-corner-erm.{end}")
        name.parent.mkdir(parents=True)
        shutil.copy(ROOT / name, name)
    file, target = "results/default/predictions/mnist5k-corner-erm.npz", tmp_path / "record.json"
    call = ["submit", "--method", "mine", "--predictions", file, "--out", str(target)]
    assert main(call) == 0
    assert main(["verify", str(target)]) == 0
    assert target.stat().st_size < 600_000
    found = json.loads(target.read_text())
    with (ROOT / "results" / "default" / "summary.csv").open(newline="") as stream:
        known = {(r["variant"], r["metric"]): r for r in csv.DictReader(stream) if r["method"] == "erm"}
    assert len(found["scores"]) == 18
    for claim in found["scores"]:
        row = known[claim["variant"], claim["metric"]]
        for name in ("value", "low", "high"):
            assert claim[name] == pytest.approx(float(row[name]), abs=1e-12)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mine *")]
    assert "0.000 [" in line  # the same answers differ by nothing, and unmatched seeds still leave an interval


def test_of_one_class_a_mean_over_classes_is_not_claimed(project):
    external = Shown(np.array(["x", "y", "z"]), np.array(["x", "y", "z"]), np.full(3, "there"), np.ones(3, int))
    tested = MINE.tested | {"external": external}
    more = [
        predictions(n, tested=tested, logits=predictions(n).logits | {"external": np.eye(3)[None].repeat(3, 0)})
        for n in (2, 4, 3)
    ]
    for method, stored in zip(("erm", "isnet"), more, strict=False):
        put(method, stored)
    record = make_record(more[2], read_task("toy"), "mine", sees([]))
    claimed = {(claim["variant"], claim["metric"]): claim["value"] for claim in record["scores"]}
    assert claimed["external", "accuracy"] == pytest.approx(1 / 3)
    assert ("iid", "macro_f1") in claimed and ("external", "macro_f1") not in claimed
    assert verify(record).compared > 0
