"""Shows that the present code gives the same bits as that of an older commit, so that nothing is trained again.

Both train every method for a few epochs on a part of a biased pack, and score some of these models by all
explainers, in turn on this machine. Where weights, logs, predictions and scores are equal byte by byte, the pair of
hashes goes into results/same_bits.csv, and `dvc repro` finds nothing stale. Where they are not, it is said, and what is
stale stays so. Takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import same_bits
from benchmark.data.pack import groups, read_attributes, read_columns
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError
from benchmark.making import cpu
from benchmark.tables import read_rows, write_csv
from pipelines import program

ROOT = Path(__file__).resolve().parent.parent
PROBE = ROOT / "pipelines" / "same_bits_probe.py"
PACK = Path("data/biased/mnist5k-corner/pack.h5")
CONFIGURATIONS = ("pipelines/configs/methods/*.yaml", "pipelines/*/methods/*.yaml")
EPOCHS, IMAGES = 2, 512
SHARED = "pipelines/configs/methods/*.yaml"
"""One configuration of every method and more; suites have others, of larger networks, too."""
SCORED = ("erm", "isnet_path", "vit", "unet_classifier")
"""A plain network, one that is trained through its heatmaps, one of attention, one that sees masks at test."""

Found = dict[str, dict[str, str]]
"""Configuration -> hash of its code and of what it computed."""


def small(pack: Path, target: Path, images: int) -> None:
    """Some images of every group of a pack, of all classes."""
    parts = {}
    for group in groups(pack):
        columns, _ = read_columns(pack, group)
        have = len(columns["label"])
        rows = np.linspace(0, have - 1, min(have, images)).astype(int)  # images are in the order of their classes
        parts[group] = {name: values[rows] for name, values in columns.items()}
    write_columns(target, parts, read_attributes(pack))


def older(revision: str, target: Path) -> str:
    """Puts the tree of a commit into a folder; returns the commit's name."""
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}")
    _git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(target))
    _git("-C", str(target), "checkout", "--quiet", "--detach", commit)
    return commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(
            f"git {' '.join(arguments)}", got=done.stderr.strip(), do="Name a commit of this repository."
        )
    return done.stdout.strip()


def start(tree: Path, order: dict[str, Any]) -> subprocess.Popen[str]:
    """Starts the probe with a tree's own code."""
    env = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    # -P: the folder of the program would else come first, with modules that are named like those of Python
    command = [sys.executable, "-P", str(PROBE), json.dumps(order)]
    return subprocess.Popen(command, cwd=tree, env=env, stdout=subprocess.PIPE, text=True)


def finish(running: subprocess.Popen[str]) -> Found:
    out, _ = running.communicate()
    if running.returncode:
        raise BenchmarkError("the probe failed", got=f"exit code {running.returncode}", do="Its own words stand above.")
    found: Found = json.loads(out.splitlines()[-1])
    return found


def rows(kind: str, new: Found, old: Found, common: dict[str, str]) -> Iterator[dict[str, str]]:
    """A row for every code of which all is the same, whatever methods share it; the others are named."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for key in new.keys() & old.keys():
        pairs.setdefault((new[key]["code"], old[key]["code"]), []).append(key)
    for (code, same_as), keys in sorted(pairs.items()):
        names = " ".join(sorted({new[key]["name"] for key in keys}))
        if moved := sorted(key for key in keys if new[key]["bits"] != old[key]["bits"]):
            print(f"{kind} {names}: OTHER BITS ({', '.join(moved)})")
            continue
        print(f"{kind} {names}: the same bits" + (" and the same code" if code == same_as else ""))
        if code != same_as:
            yield {"kind": kind, "name": names, "code": code, "same_as": same_as, **common}


def show(arguments: argparse.Namespace) -> None:
    if not PACK.is_file():
        raise BenchmarkError(f"{PACK} is missing", do="Run `dvc repro inject@mnist5k-corner` first.")
    part = (
        arguments.most
        or arguments.epochs < EPOCHS
        or arguments.images < IMAGES
        or arguments.only not in (SHARED, "*.yaml")
    )
    files = sorted({path for pattern in CONFIGURATIONS for path in ROOT.glob(pattern) if path.match(arguments.only)})
    with tempfile.TemporaryDirectory(prefix="same-bits-") as name:
        folder = Path(name)
        tree, pack = folder / "older", folder / "pack.h5"
        commit = older(arguments.revision, tree)
        small(PACK, pack, arguments.images)
        order = {"pack": str(pack), "epochs": arguments.epochs, "images": arguments.images}
        files = files[: arguments.most]
        print(f"{len(files)} configurations, {arguments.epochs} epochs on {arguments.images} images, {commit[:12]}")
        train = {**order, "task": "train", "files": [str(file) for file in files]}
        both = [start(where, {**train, "out": str(folder / kind)}) for where, kind in ((ROOT, "new"), (tree, "old"))]
        trained = [finish(one) for one in both]
        scored = [str(file) for file in files if file.stem in SCORED and file.parent.parent.name == "configs"]
        score = {**order, "task": "score", "out": str(folder / "new"), "files": scored}
        both = [start(where, score) for where in (ROOT, tree)]
        scores = [finish(one) for one in both]
    basis = f"{len(files)} configurations: {arguments.epochs} epochs on {arguments.images} images"
    common = {"shown_on": basis, "commit": commit, "cpu": cpu(), "torch": version("torch")}
    found = [*rows("training", trained[0], trained[1], common), *rows("scoring", scores[0], scores[1], common)]
    if arguments.dry_run or part:
        print("Nothing is written." if arguments.dry_run else "A part of the evidence is none: nothing is written.")
        return
    kept = read_rows(same_bits.TABLE) if same_bits.TABLE.is_file() else []
    shown = {
        each["code"] for one in (trained[0], scores[0]) for each in one.values()
    }  # refuted ones lose their row, too
    write_csv(same_bits.TABLE, [*(row for row in kept if row["code"] not in shown), *found], same_bits.COLUMNS)
    print(f"{len(found)} rows added to {same_bits.TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("revision", help="the commit that the results were made with")
    parser.add_argument("--only", default=SHARED, help="files of configurations (%(default)s; *.yaml: all)")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--images", type=int, default=IMAGES, help="of every group of the pack")
    parser.add_argument("--most", type=int, help="configurations at most; a part of them writes nothing")
    parser.add_argument("--dry-run", action="store_true", help="show, and write nothing")
    program.run(show, parser)
