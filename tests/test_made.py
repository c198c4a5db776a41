"""What made a trained seed: recorded by real trainings, taken over by another suite, or empty with a reason."""

import json
import shutil
import subprocess
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from made_images import bars

from benchmark import made, making
from benchmark.biases.corner import Corner
from benchmark.cell import Cell
from benchmark.data.pack_write import created, write_columns
from benchmark.errors import BenchmarkError
from benchmark.inject import inject
from benchmark.paths import SuitePaths
from benchmark.skipped import Skipped
from pipelines import train

CELL = Cell("made", "corner", "erm")
METHOD = """
version: 1
training: {backbone: test_resnet, epochs: 2, batch_size: 16, optimizer: {name: adamw, lr: 1e-2}}
"""


def git(*arguments: str) -> str:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.invalid", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of two suites with one method, and a biased pack."""
    monkeypatch.chdir(tmp_path)
    params = "matrix: {dataset: [made], bias: [corner], method: [erm]}\nseeds: [0, 4]\n"
    for file, text in (
        ("params.yaml", params),
        ("pipelines/other/params.yaml", params),
        ("pipelines/configs/methods/erm.yaml", METHOD),
        (".gitignore", "runs\ndata\n"),
    ):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text)
    pack = Path("data/biased/made-corner/pack.h5")
    subsets = inject(bars(96), Corner(Corner.Settings()))
    write_columns(pack, {key: subset.columns() for key, subset in subsets.items()}, {})
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "test: all")
    return tmp_path


def run(suite: str) -> dict[str, made.Entry]:
    train.train(Namespace(cell=CELL.key, suite=suite, dry_run=False, workers=1))
    found: dict[str, made.Entry] = json.loads(SuitePaths(suite).made(CELL).read_text())
    return found


def test_a_training_leaves_commit_time_and_machine_of_each_seed(project: Path) -> None:
    before = datetime.now(UTC)
    found = run("default")
    spent = (datetime.now(UTC) - before).total_seconds()
    assert list(found) == ["0", "4"]
    for entry in found.values():
        assert set(entry) == set(made.FIELDS)
        assert (entry["commit"], entry["dirty"], entry["why"]) == (git("rev-parse", "HEAD"), False, "")
        assert before.timestamp() - 1 <= datetime.fromisoformat(entry["started"]).timestamp()
        assert datetime.fromisoformat(entry["started"]).utcoffset().total_seconds() == 0
        assert 0 < entry["seconds"] < spent
        assert (entry["threads"], entry["processes"], entry["at_once"]) == (1, 1, 1)
        assert entry["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
        assert entry["device"] in ("cpu", "cuda", "mps") and entry["cpu"]
    assert found["0"]["started"] <= found["4"]["started"]
    again = {file.name for file in SuitePaths("default").run(CELL).joinpath("seed-0").iterdir()}
    assert again == {"weights.safetensors", "log.csv", "predictions.npz", "run.json"}


def test_an_adopted_seed_takes_over_its_entry_and_says_so_where_there_is_none(project: Path) -> None:
    first = run("default")
    (project / "pipelines/new.txt").write_text("not committed")
    assert run("other") == first
    shutil.rmtree("runs/other")
    SuitePaths("default").made(CELL).unlink()
    SuitePaths("other").made(CELL).unlink()
    for entry in run("other").values():
        assert entry["why"] == made.NO_RECORD
        assert entry["commit"] is None and entry["seconds"] is None
        assert entry["device"] in ("cpu", "cuda", "mps")


def test_a_resumed_training_keeps_its_begin_and_counts_all_its_seconds(project: Path) -> None:
    (job, _) = train.jobs_of(CELL, SuitePaths())
    row = {"train_loss": 1.0, "val_loss": 1.0}
    making.Watch("first", [job]).show(0, 1, 2, row, 60.0)
    first = json.loads(making.note(job).read_text())
    began = datetime.fromisoformat(first["started"])
    assert (datetime.now(UTC) - began).total_seconds() == pytest.approx(60, abs=5)
    making.Watch("resumed", [job]).show(0, 2, 2, row, 200.5)
    again = json.loads(making.note(job).read_text())
    assert again["started"] == first["started"] and again["seconds"] == 200.5


def test_a_skipped_cell_has_an_empty_record(project: Path) -> None:
    with created(Path("data/biased/made-corner/pack.h5"), Skipped("made", "no rights", "Ask.").attributes()):
        pass
    assert run("default") == {}


def test_a_commit_is_dirty_by_code_and_settings_and_not_by_results(project: Path) -> None:
    head = git("rev-parse", "HEAD")
    Path("results").mkdir()
    Path("results/scores.csv").write_text("a")
    Path("dvc.lock").write_text("a")
    Path("pipelines/other/dvc.lock").write_text("a")
    assert making.commit() == {"commit": head, "dirty": False, "why": ""}
    Path("params.yaml").write_text("b")
    assert making.commit() == {"commit": head, "dirty": True, "why": ""}


def test_without_git_a_commit_is_empty_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = making.commit(tmp_path)
    assert found["commit"] is None and found["dirty"] is None
    assert "not a git repository" in found["why"]
    monkeypatch.setenv("PATH", "")
    assert making.commit(tmp_path)["why"] == "no commit: git is not installed"


@pytest.mark.parametrize("text", ["{", "[]", '{"0": {"commit": "a"}}'])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "made.json"
    assert made.read_made(path) == {}
    path.write_text(text)
    with pytest.raises(BenchmarkError, match=r"made\.json"):
        made.read_made(path)
