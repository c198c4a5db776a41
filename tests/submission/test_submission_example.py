"""The example of docs/submit.md, from images to a verified record, on a tiny pack."""

import csv
import runpy
from hashlib import sha256
from pathlib import Path

import h5py
import numpy as np
from submitted import ID, LABEL, ROOT, K, N, predictions, put

from benchmark import paths
from benchmark.cli.main import main

SCRIPT = ROOT / "examples" / "submission" / "nearest_mean.py"


def write_pack(path):
    """Images whose brightest pixel tells the class, on ``deceiving`` of some the next class."""
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as pack:
        for subset, wrong in (("train", 0), ("iid", 0), ("deceiving", 9)):
            image = rng.integers(0, 60, (N, 2, 3, 1)).astype(np.uint8)
            image.reshape(N, -1)[np.arange(N), (LABEL + (np.arange(N) < wrong)) % K] = 250
            group = pack.create_group(subset)
            group["image"], group["label"] = image, LABEL
            group["id"] = np.char.encode(ID)


def test_the_example_is_a_method_whose_record_is_verified(project, capsys):
    pack = paths.biased_pack("toy-corner")
    write_pack(pack)
    data = sha256(pack.read_bytes()).hexdigest()
    for method, number in (("erm", 2), ("isnet", 4)):
        put(method, predictions(number, attributes={"data": data}), data=data[:12])
    runpy.run_path(str(SCRIPT))["main"](str(pack), "mine.csv")
    with Path("mine.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 * 2 * N
    called = {
        variant: [max(range(K), key=lambda k: float(row[f"logit_{k}"])) for row in rows if row["variant"] == variant]
        for variant in ("iid", "deceiving")
    }
    assert called["iid"] == 3 * LABEL.tolist()
    assert called["deceiving"] == 3 * ((LABEL + (np.arange(N) < 9)) % K).tolist()
    call = ["submit", "--suite", "toy", "--method", "nearest_mean", "--predictions", "mine.csv", "--out", "r.json"]
    assert main(call) == 0
    assert "on trust" not in capsys.readouterr().out
    assert main(["verify", "r.json"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("nearest_mean *")]
    assert f"{1 - 9 / N:.3f} [" in line
