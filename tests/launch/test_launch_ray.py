"""A Ray cluster of two node processes, one of which is killed while cells run on it."""

import csv
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
import toy_suite as toy

pytest.importorskip("ray", reason='needs Ray: pip install "shortcut-bench[ray]"')

import ray_cluster

from benchmark.launch.on_node import outcome_of
from benchmark.launch.work import Outcome


@pytest.fixture(scope="module")
def nodes():
    folder = tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True)  # a short name, for sockets
    with folder as name, ray_cluster.cluster(Path(name)) as (address, started):
        yield address, started


def test_a_gpu_that_no_node_has_is_refused_at_once(project, nodes):
    since = time.monotonic()
    told = toy.launch(project, "--engine", "ray", "--address", nodes[0], "--gpus", "1", code=1)
    assert told.startswith("error: no node has 1 cores and 1 GPU; got ") and "1 cores, 0 GPUs" in told
    assert time.monotonic() - since < 60
    told = toy.launch(project, "--engine", "ray", "--address", nodes[0], "--cpus", "2", code=1)
    assert told.startswith("error: no node has 2 cores; got ")


def test_a_node_that_is_killed_costs_no_cell_and_none_is_made_twice(project, nodes):
    address, (_, other) = nodes
    (project / "toy/seconds").write_text("1.5")
    process = toy.start(project, "--engine", "ray", "--address", address)
    logs, trained = project / "runs/.work/launch/toy/logs", project / "runs/.work/toy"
    toy.wait_for(lambda: len({path.read_text() for path in logs.glob("train-*.where")}) >= 2)
    toy.wait_for(lambda: sum(bool(path.stat().st_size) for path in trained.glob("*/epochs")) >= 2)
    ray_cluster.kill(other)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert told.count("lost train@") == 1 and "it starts again where it stopped" in told
    assert "4 cells done, 0 were fresh, 0 failed" in told
    with (project / "runs/.work/launch/toy/times.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["code"] == "0"]
    assert set(Counter(row["stage"] for row in rows).values()) == {1} and len(rows) == 8
    for method in "abcd":
        assert toy.epochs_of(project, method) == ["1 "] * 4
        log = (logs / f"train-toy-none-{method}.log").read_text()
        assert [log.count(f"epoch {k}/4") for k in range(1, 5)] == [1] * 4
    assert sorted(path.name for path in (project / "results/toy/predictions").iterdir()) == [
        f"toy-none-{method}.npz" for method in "abcd"
    ]
    assert "toy-none" not in toy.stale(project)


def test_a_stop_ends_what_runs_on_the_nodes(project, nodes):
    (project / "toy/seconds").write_text("30")
    process = toy.start(project, "--engine", "ray", "--address", nodes[0], "--only", "*-a")
    toy.wait_for(lambda: (project / "runs/.work/toy/toy-none-a/epochs").is_file())
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143, told
    toy.wait_for(lambda: not toy.working_in(project), seconds=10)
    assert not (project / "runs/toy").exists()


def test_a_cluster_that_is_not_there_is_one_line(project):
    told = toy.launch(project, "--engine", "ray", "--address", f"127.0.0.1:{ray_cluster.free_port()}", code=1)
    assert "error: no Ray cluster answers; got '127.0.0.1:" in told and "Traceback" not in told


def test_a_node_that_cannot_load_the_project_loses_the_cell_and_says_why():
    why = "a node cannot load the project from /project: No module named 'benchmark'"
    assert outcome_of(why, 2.0) == Outcome(1, 2.0, "", lost=True, reason=why)
    assert outcome_of({"code": 0, "seconds": 1.5, "where": "node core 1"}, 2.0) == Outcome(0, 1.5, "node core 1")
