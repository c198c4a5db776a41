"""A project with a suite whose cells take a second: real DVC, real fingerprints, and a training that only waits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
}

PIPELINE = """
stages:
  inject:
    wdir: &root ../..
    cmd: python -m toy.inject
    deps: [toy/images.txt]
    outs: ["data/biased/toy-none/pack.h5"]
  code:
    wdir: *root
    matrix: {method: "${matrix.method}"}
    cmd: python -m pipelines.code ${item.method} --suite toy
    params:
      - pipelines/configs/methods/${item.method}.yaml:
    outs: ["runs/code/toy/${item.method}.json"]
  train:
    wdir: *root
    matrix: &cell
      dataset: ${matrix.dataset}
      bias: ${matrix.bias}
      method: ${matrix.method}
    cmd: python -m toy.train ${key}
    deps: [data/biased/toy-none/pack.h5, "runs/code/toy/${item.method}.json"]
    params:
      - pipelines/toy/params.yaml: [seeds]
      - pipelines/configs/methods/${item.method}.yaml:
    outs: ["runs/toy/${key}"]
  score_code:
    wdir: *root
    cmd: python -m pipelines.score_code toy
    params:
      - pipelines/configs/scoring.yaml:
    outs: ["runs/code/scoring/toy.json"]
  score:
    wdir: *root
    matrix: *cell
    cmd: python -m toy.score ${key}
    deps: ["runs/toy/${key}", data/biased/toy-none/pack.h5, runs/code/scoring/toy.json]
    outs:
      - results/toy/predictions/${key}.npz: {cache: false}
"""
METHOD = """
method: erm
version: 1
training: {backbone: test_resnet, epochs: 4, batch_size: 32, optimizer: {name: sgd, lr: 0.1}}
"""
INJECT = """
from pathlib import Path
import h5py
target = Path("data/biased/toy-none/pack.h5")
target.parent.mkdir(parents=True, exist_ok=True)
with h5py.File(target, "w", track_order=False) as pack:
    pack.attrs["text"] = Path("toy/images.txt").read_text()
"""
TRAIN = """
import os, shutil, sys, time
from pathlib import Path
from benchmark.cell import Cell
from benchmark.files import atomic_path, write_json
from benchmark.launch.belongs import jobs_of
from benchmark.paths import SuitePaths
from benchmark.program import die_with_parent
die_with_parent()
cell, suite = Cell.parse(sys.argv[1]), SuitePaths("toy")
(job,) = jobs_of(cell, suite)
epochs = job.folder.with_name("epochs")
epochs.parent.mkdir(parents=True, exist_ok=True)
epochs.touch()
for epoch in range(len(epochs.read_text().splitlines()), job.training.epochs):
    time.sleep(float(Path("toy/seconds").read_text()))
    if cell.method in Path("toy/fails").read_text():
        sys.exit("error: the loss is not finite; got nan. Use a smaller learning rate.")
    with epochs.open("a") as stream:
        stream.write(f"{os.environ['OMP_NUM_THREADS']} {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")
    print(f"12:00:00 {cell.key} seed {job.seed} epoch {epoch + 1}/{job.training.epochs}  loss 1.0", flush=True)
with atomic_path(suite.run(cell)) as folder:
    (folder / job.folder.name).mkdir(parents=True)
    shutil.copy(epochs, folder / job.folder.name / "epochs")
    write_json(folder / job.folder.name / "run.json", {"fingerprint": job.fingerprint()})
shutil.rmtree(suite.work(cell))
"""
SCORE = """
import sys
from pathlib import Path
target = Path("results/toy/predictions") / f"{sys.argv[1]}.npz"
target.parent.mkdir(parents=True, exist_ok=True)
target.write_bytes(next(Path("runs/toy", sys.argv[1]).glob("*/epochs")).read_bytes())
"""


def make(root: Path) -> Path:
    """The project, with all stages before the cells fresh."""
    files = {
        ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n",
        "toy/__init__.py": "",
        "toy/inject.py": INJECT,
        "toy/train.py": TRAIN,
        "toy/score.py": SCORE,
        "toy/images.txt": "first",
        "toy/seconds": "0.1",
        "toy/fails": "",
        "pipelines/toy/dvc.yaml": PIPELINE,
        "pipelines/toy/params.yaml": "matrix: {dataset: [toy], bias: [none], method: [a, b, c, d]}\nseeds: [0]\n",
        "pipelines/configs/scoring.yaml": "explainers: {integrated_gradients: {images: 4}}\n",
        **{f"pipelines/configs/methods/{name}.yaml": METHOD for name in "abcd"},
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    stages = [f"pipelines/toy/dvc.yaml:{name}" for name in ("inject", "score_code", *(f"code@{m}" for m in "abcd"))]
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q", *stages], cwd=root, env=ENVIRONMENT, check=True)
    return root


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """A launch in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", "launch", "toy", *arguments],
        cwd=root,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def launch(root: Path, *arguments: str, code: int = 0) -> str:
    """A launch from start to end; returns what it printed, after its exit code was compared."""
    process = start(root, *arguments)
    told, _ = process.communicate(timeout=300)
    assert process.returncode == code, told
    return told


def wait_for(met, seconds: float = 120.0) -> None:
    """Waits until a function returns something true."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def stale(root: Path) -> str:
    """What `dvc status` tells of the suite."""
    command = [sys.executable, "-m", "dvc", "status", "pipelines/toy/dvc.yaml"]
    return subprocess.run(command, cwd=root, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout


def epochs_of(root: Path, method: str) -> list[str]:
    """A line for each epoch that was ever trained of a cell: its threads and its GPUs."""
    return (root / "runs/toy" / f"toy-none-{method}" / "seed-0" / "epochs").read_text().splitlines()


def working_in(root: Path) -> list[int]:
    """Processes of this machine whose working directory lies in the project."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").readlink().is_relative_to(root) and "Z" not in (folder / "stat").read_text().split()[2]:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


STOP = {"ctrl_c": signal.SIGINT, "sigterm": signal.SIGTERM, "sigkill": signal.SIGKILL}
