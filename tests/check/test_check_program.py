"""``python -m benchmark.check``: exit codes, and what it prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.check.__main__ import main, suites
from benchmark.check.reference import COLUMNS, read_reference
from benchmark.check.show import SUMMARY
from benchmark.tables import write_csv

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = paths.REFERENCE / "default.csv"


def change_one_digit(suite: paths.SuitePaths, name: str = "summary.csv") -> None:
    path = suite.results / name
    path.write_text(path.read_text().replace("0.9", "0.8", 1))


def test_recorded_numbers_come_out_and_the_exit_code_is_0(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--record"]) == 0
    rows = len(read_reference(REFERENCE))
    assert f"default: {rows} numbers recorded" in capsys.readouterr().out
    assert main([]) == 0
    told = capsys.readouterr().out.splitlines()
    assert f"default: summary.csv against recorded numbers: {rows} compared, 0 moved" in told
    assert told[-1].endswith("as recorded")


def test_a_drift_ends_in_exit_code_1_and_names_the_row(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--record"])
    capsys.readouterr()
    change_one_digit(suite)
    assert main([]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("DRIFT summary.csv: made corner erm")
    assert told[2].startswith("DRIFT reference: made corner erm iid accuracy: value: recorded 0.9500, found 0.8500")
    assert told[-1] == "2 moved"


def test_a_number_that_left_its_recorded_band_ends_in_exit_code_1(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--record"])
    rows = read_reference(REFERENCE)
    moved = next(row for row in rows if (row["method"], row["variant"], row["metric"]) == ("rrr", "iid", "accuracy"))
    moved |= {"value": "0.1", "low": "0.05", "high": "0.15"}
    write_csv(REFERENCE, rows, COLUMNS)
    capsys.readouterr()
    assert main([]) == 1
    assert "DRIFT reference: made corner rrr iid accuracy: value: recorded 0.1000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--suite", "no_such_suite"], "error: settings file pipelines/no_such_suite/params.yaml is missing"),
        (["--suite", "No-Such"], "error: "),
        (["--tier", "retrain"], "error: settings file pipelines/configs/regression.yaml is missing"),
    ],
)
def test_bad_input_ends_in_exit_code_2_and_one_line(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(told)
    assert errors.count("\n") == 1


def test_a_reference_that_is_none_is_bad_input(suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--record"])
    rows = read_reference(REFERENCE)
    write_csv(REFERENCE, [rows[0] | {"tolerance": "about"}, *rows[1:]], COLUMNS)
    assert main([]) == 2
    assert "tolerance of reference row" in capsys.readouterr().err


def test_numbers_that_cannot_be_recomputed_are_not_recorded(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    change_one_digit(suite)
    assert main(["--record"]) == 2
    assert "default is not recorded: its tables are not those of its predictions" in capsys.readouterr().err
    assert not REFERENCE.exists()


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("results/default/cells/made-corner-rrr.json", b"{"),
        ("results/default/cells/made-corner-rrr.json", b"[1]"),
        ("results/default/cells/made-corner-rrr.json", b"{}"),
        ("results/default/cells/made-corner-rrr.json", b'{"skipped": 3}'),
        ("results/default/cells/made-corner-rrr.json", b"\xff\xfe"),
        ("results/default/predictions/made-corner-rrr.npz", b"PK"),
        ("results/default/summary.csv", b"dataset\n\xff\n"),
        ("results/default/summary.csv", b"dataset\nmade\n"),
        ("results/reference/default.csv", b"\xff"),
        ("results/reference/default.csv", b"dataset,bias\nmade,corner\n"),
        ("pipelines/default/claims.yaml", b"claims: [3]"),
    ],
)
@pytest.mark.parametrize("record", [False, True])
def test_a_damaged_file_ends_in_exit_code_2_and_one_line(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str], file: str, damage: bytes, record: bool
) -> None:
    main(["--record"])
    Path(file).write_bytes(damage)
    before = REFERENCE.read_bytes()
    capsys.readouterr()
    assert main(["--record"] if record else []) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert REFERENCE.read_bytes() == before


def test_a_check_that_compared_nothing_is_no_success(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pipelines/configs/regression.yaml").write_text("train: {}\n")
    assert main(["--tier", "retrain"]) == 2
    assert "nothing was compared; got ['trainings of default" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ("{elsewhere: {made-corner-erm: [0]}}", "unknown suite in pipelines/configs/regression.yaml; got 'elsewhere'"),
        ("{default: {made-corner-erm: []}}", "seeds of made-corner-erm must be different and at least one, got []"),
        ("{default: {made-corner-erm: [1, 1]}}", "seeds of made-corner-erm must be different and at least one"),
    ],
)
def test_what_is_to_be_trained_must_be_there_once(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str], train: str, told: str
) -> None:
    Path("pipelines/configs/regression.yaml").write_text(f"train: {train}\n")
    assert main(["--tier", "retrain"]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_less_than_one_worker_is_refused(suite: paths.SuitePaths, workers: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--workers", workers])


def test_nothing_is_recorded_while_a_table_is_missing(
    suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite.results / "guards.csv").unlink()
    assert main(["--record"]) == 2
    assert "default is not recorded" in capsys.readouterr().err
    assert not REFERENCE.exists()


def test_recording_needs_the_tier_that_makes_sure_of_the_numbers(suite: paths.SuitePaths) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--record", "--tier", "retrain"])


def test_a_stale_suite_is_told_and_does_not_fail(suite: paths.SuitePaths, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("pipelines/old")
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(Path("params.yaml").read_text())
    (folder / "STALE.md").write_text("Made under protocol 2.\n")
    assert suites(["all"]) == ["default", "old"]
    assert main(["--suite", "old"]) == 0, "nothing is compared, and there is a reason"
    main(["--record"])
    assert main(["--suite", "all"]) == 0
    assert "not checked: suite old (pipelines/old/STALE.md: Made under protocol 2.)" in capsys.readouterr().out


def test_a_summary_for_a_pull_request_tells_verdict_drift_and_errors(
    suite: paths.SuitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SUMMARY, "summary.md")
    main(["--record"])
    change_one_digit(suite)
    assert main(["--github"]) == 1
    assert main(["--github", "--suite", "no_such_suite"]) == 2
    text = Path("summary.md").read_text()
    assert "## Regression check: 2 moved" in text
    assert "| default | summary.csv | made corner erm" in text
    assert "## Regression check: not possible\n\nsettings file pipelines/no_such_suite/params.yaml is missing" in text


def test_the_exit_code_reaches_the_shell(suite: paths.SuitePaths) -> None:
    Path("params.yaml").unlink()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmark.check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: settings file params.yaml is missing")
    assert done.stderr.count("\n") == 1
