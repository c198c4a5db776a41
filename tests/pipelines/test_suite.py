"""The whole pipeline, small: real digits, two methods, two seeds, one epoch, as a user runs it."""

import csv
import json
import re
from pathlib import Path

import pytest
from repository import copy_repository, edit, run

FILES = ("scores.csv", "summary.csv", "claims.csv", "suite.json", "report.md", "report.html", "check.json")


def shrink(repository: Path) -> Path:
    """Two methods, two seeds, one epoch, a thousand digits to train on; no other suite on the same data."""
    for other in (repository / "pipelines").glob("*/dvc.yaml"):
        other.unlink()
    edit(repository / "params.yaml", r"method: .*", "method: [erm, isnet_path]")
    edit(repository / "params.yaml", r"seeds: .*", "seeds: [3, 4]")
    digits = repository / "pipelines/configs/datasets/mnist5k.yaml"
    for split, count in (("train", 1000), ("val", 3500), ("test", 500)):
        edit(digits, rf"^{split}: .*", f"{split}: {count}")
    for method in ("erm", "isnet_path"):
        edit(repository / f"pipelines/configs/methods/{method}.yaml", r"epochs: .*", "epochs: 1")
    (repository / "dvc.lock").unlink(missing_ok=True)
    return repository


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = shrink(copy_repository(tmp_path_factory.mktemp("suite")))
    output = run("dvc", "repro", cwd=repository)
    assert "seed 4 epoch 1/1" in output
    return repository


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_result_file_is_there_and_whole(suite: Path) -> None:
    results = suite / "results/default"
    assert all((results / name).stat().st_size for name in FILES)
    summary = {(r["method"], r["variant"], r["metric"]): r for r in rows(results / "summary.csv")}
    for method in ("erm", "isnet_path"):
        for variant in ("iid", "ood", "deceiving"):
            for metric in ("accuracy", "macro_f1", "macro_auroc", "background_relevance_mass"):
                row = summary[method, variant, metric]
                assert float(row["low"]) <= float(row["value"]) <= float(row["high"]), row
    assert summary["erm", "iid", "accuracy"]["n_units"] == "500"
    assert summary["isnet_path", "deceiving", "accuracy"]["diff"] != ""
    assert float(summary["isnet_path", "iid", "heatmap_loss"]["value"]) > 0


def test_accuracy_in_the_table_is_that_of_the_stored_predictions(suite: Path) -> None:
    import numpy as np

    stored = np.load(suite / "results/default/predictions/mnist5k-corner-erm.npz", allow_pickle=False)
    scores = rows(suite / "results/default/scores.csv")
    found = [
        float(r["value"]) for r in scores if (r["method"], r["variant"], r["metric"]) == ("erm", "ood", "accuracy")
    ]
    expected = (stored["logits/ood"].argmax(-1) == stored["tested/iid+ood+deceiving/label"]).mean(axis=1)
    assert found == pytest.approx(expected.tolist(), abs=1e-12)


def test_a_second_repro_does_nothing_and_a_clone_without_data_has_nothing_to_do(suite: Path, tmp_path: Path) -> None:
    before = {name: (suite / "results/default" / name).read_bytes() for name in FILES}
    output = run("dvc", "repro", cwd=suite)
    assert "Running stage" not in output
    assert "up to date" in output
    run("git", "add", "-A", cwd=suite)
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    run("git", *identity, "commit", "-qm", "test: results", cwd=suite)
    run("git", "clone", "-q", str(suite), str(tmp_path / "clone"), cwd=tmp_path)
    assert not (tmp_path / "clone/data").exists()
    output = run("dvc", "repro", "--allow-missing", cwd=tmp_path / "clone")
    assert "Running stage" not in output
    assert run("python", "-m", "pipelines.fresh", cwd=tmp_path / "clone").startswith("fresh:")
    assert {name: (tmp_path / "clone/results/default" / name).read_bytes() for name in FILES} == before


def test_a_changed_setting_is_stale_and_named_by_the_freshness_gate(suite: Path, tmp_path: Path) -> None:
    run("git", "clone", "-q", str(suite), str(tmp_path / "clone"), cwd=tmp_path)
    edit(tmp_path / "clone/pipelines/configs/methods/isnet_path.yaml", r"lr: [^}]*", "lr: 1e-3")
    output = run("python", "-m", "pipelines.fresh", cwd=tmp_path / "clone", code=1)
    assert "train@mnist5k-corner-isnet_path" in output
    assert "train@mnist5k-corner-erm" not in output
    assert "make repro" in output


def test_check_says_what_drifted_and_strict_fails(suite: Path) -> None:
    run("python", "-m", "pipelines.check", "default", "--record", cwd=suite)
    reference = suite / "results/reference/default.csv"
    recorded = rows(reference)
    told = f"{len(recorded)} recorded numbers compared, 0 drifted"
    assert run("python", "-m", "pipelines.check", "default", "--strict", cwd=suite).startswith(told)
    moved = next(
        row for row in recorded if (row["method"], row["variant"], row["metric"]) == ("erm", "iid", "accuracy")
    )
    numbers = ",".join(re.escape(moved[name]) for name in ("value", "low", "high"))
    edit(reference, rf"^(mnist5k,corner,erm,iid,accuracy),{numbers}", r"\1,7.5,7.4,7.6")
    output = run("python", "-m", "pipelines.check", "default", "--strict", cwd=suite, code=1)
    assert "DRIFT mnist5k corner erm iid accuracy: recorded 7.5" in output
    facts = json.loads((suite / "results/default/check.json").read_text())
    assert [drift["name"] for drift in facts["drifts"]] == ["mnist5k corner erm iid accuracy"]
    run("git", "checkout", "-q", "--", "results", cwd=suite)


def test_a_corrupt_pack_stops_training_with_one_sentence_and_leaves_no_result(suite: Path) -> None:
    pack = suite / "data/biased/mnist5k-corner/pack.h5"
    whole = pack.read_bytes()
    pack.unlink()  # DVC's copy may be a hard link
    pack.write_bytes(whole[:20000])
    (suite / "runs/default/mnist5k-corner-erm").rename(suite / "runs/kept")
    output = run("python", "-m", "pipelines.train", "mnist5k-corner-erm", cwd=suite, code=1)
    assert "error: pack data/biased/mnist5k-corner/pack.h5 is corrupt" in output
    assert "Traceback" not in output
    assert not (suite / "runs/default/mnist5k-corner-erm").exists()
    (suite / "runs/kept").rename(suite / "runs/default/mnist5k-corner-erm")
