"""The default suite, small: real digits, trainings and scores; and how long launches of it take.

    python tests/launch/real_suite.py --engines local:1 local:2 ray:2

copies the repository into a temporary folder for each entry (engine:jobs), launches four cells there, and prints the
seconds from start to end, without what comes before the cells, and the ratio to the first. Nothing else should run.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "pipelines"))

from repository import copy_repository, edit, run  # noqa: E402

CELLS = ("m0", "m1", "m2", "m3")


def make(target: Path, train: int = 300, epochs: int = 1) -> Path:
    """A copy whose default suite is four cells of the plain classifier, one seed each; what comes before is fresh."""
    root = copy_repository(target)
    for other in (root / "pipelines").glob("*/dvc.yaml"):
        other.unlink()
    for lock in root.glob("dvc.lock"):
        lock.unlink()
    erm = root / "pipelines/configs/methods/erm.yaml"
    edit(erm, r"epochs: .*", f"epochs: {epochs}")
    for name in CELLS:
        (erm.with_name(f"{name}.yaml")).write_text("method: erm\n" + erm.read_text())
    edit(root / "params.yaml", r"method: .*", f"method: [{', '.join(CELLS)}]")
    edit(root / "params.yaml", r"seeds: .*", "seeds: [3]")
    for split, count in (("train", train), ("val", 4900 - train), ("test", 100)):
        edit(root / "pipelines/configs/datasets/mnist5k.yaml", rf"^{split}: .*", f"{split}: {count}")
    judge = "integrated_gradients: {images: 4, metrics: all, variants: [iid, deceiving]}"
    (root / "pipelines/configs/scoring.yaml").write_text(f"explainers:\n  {judge}\nbehaviour: 0\nguards: 0\n")
    run("dvc", "repro", "-q", "inject@mnist5k-corner", "score_code", *(f"code@{name}" for name in CELLS), cwd=root)
    return root


def timed(engine: str, jobs: int) -> float:
    """Seconds of a launch."""
    with tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder) / "clone", train=3500, epochs=6)
        command = ["launch", "default", "--engine", engine, "--jobs", str(jobs), "--gpus", "0"]
        since = time.monotonic()
        run(sys.executable, "-m", "benchmark", *command, cwd=root)
        return time.monotonic() - since


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", default=["local:1", "local:2"])
    first = None
    print(f"{len(CELLS)} cells, load {os.getloadavg()[0]:.1f} before")
    for entry in parser.parse_args().engines:
        engine, jobs = entry.split(":")
        seconds = timed(engine, int(jobs))
        first = first or seconds
        print(f"{entry}: {seconds:.1f} s, {first / seconds:.2f} times as fast as the first", flush=True)


if __name__ == "__main__":
    main()
