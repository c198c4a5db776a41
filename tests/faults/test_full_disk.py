"""A disk that is full or read-only: one sentence, nothing half written, and the next run goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

WRITES = """
import sys
import numpy as np
from pathlib import Path
from benchmark.files import atomic_path, write_text

folder, kind = Path(sys.argv[1]), sys.argv[2]
pixels = np.random.default_rng(0).integers(0, 256, (3000, 32, 32, 1)).astype(np.uint8)


def write(count):
    if kind == "text":
        write_text(folder / "out", "x" * 1024 * count)
    elif kind == "pack":
        from benchmark.data.pack_write import write_columns
        write_columns(folder / "out", {"images": {"image": pixels[:count]}}, {})
    elif kind == "gallery":
        from benchmark.scoring.gallery import write_arrays
        write_arrays(folder / "out", {"image": pixels[:count]})
    elif kind == "weights":
        import torch
        from safetensors.torch import save_file
        with atomic_path(folder / "out") as fresh:
            save_file({"w": torch.zeros(256 * count)}, fresh)
    elif kind == "checkpoint":
        import torch
        with atomic_path(folder / "out") as fresh:
            torch.save({"w": torch.zeros(256 * count)}, fresh)


try:
    write(3000)
except ValueError as error:
    print(type(error).__name__, error)
print([path.name for path in folder.iterdir()])
"""


def mounted(folder: Path, options: str, kind: str) -> str:
    """What the writes print on a disk of their own, in a namespace that ends with them."""
    script = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 1 && exec "$0" -c "$PROGRAM" "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, options]
    try:
        subprocess.run([*command[:4], "mount", "-t", "tmpfs", "tmpfs", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system gives no mount namespace")
    environment = {"PROGRAM": WRITES, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(folder), kind], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize("kind", ["text", "pack", "gallery", "weights", "checkpoint"])
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    said = mounted(tmp_path, "size=1m", kind)
    assert said.splitlines() == [
        f"BenchmarkError {tmp_path / 'out'} cannot be written; got 'No space left on device'. Free space, or make the"
        " folder writable, and run the same command again: it goes on.",
        "[]",
    ]


def test_a_read_only_disk_is_one_error(tmp_path: Path) -> None:
    said = mounted(tmp_path, "ro", "text").splitlines()
    assert said[0].startswith(f"BenchmarkError {tmp_path / 'out'} cannot be written; got 'Read-only file system'.")
    assert said[1] == "[]"


def test_a_disk_with_room_takes_the_pack(tmp_path: Path) -> None:
    assert mounted(tmp_path, "size=64m", "pack") == "['out']\n"
