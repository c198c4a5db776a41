"""Stored predictions of a cell, cut short, changed or hostile: read whole or refused, nothing unpickled."""

import io
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions, Tested

N = 30
IDS = np.array([f"{i:03d}" for i in range(N)])


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    rng, path = np.random.default_rng(0), tmp_path / "cell.npz"
    images = Tested(IDS, IDS, IDS, np.arange(N) % 3)
    logits = {name: rng.normal(size=(2, N, 3)).astype(np.float32) for name in ("iid", "ood")}
    Predictions(np.array([0, 1]), {"iid": images, "ood": images}, logits, attributes={"a": "b"}).write(path)
    return path


def packed(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


class Touch:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


HOSTILE = {
    "petabytes": {"logits/iid.npy": header((10**14,))},
    "negative shape": {"logits/iid.npy": header((-1,))},
    "long header": {"seeds.npy": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535},
    "nested header": {"seeds.npy": b"\x93NUMPY\x02\x00\x00\x20\x00\x00" + b"-" * 8192},
    "nested JSON": {"attributes.npy": packed(np.array("[" * 100_000))},
    "list for a dictionary": {"attributes.npy": packed(np.array("[1, 2]"))},
    "infinite format": {"format.npy": packed(np.array(np.inf))},
    "no array": {"readme.txt": b"hello"},
    "name that leads out": {"../../evil.npy": packed(np.zeros(3))},
    "logits that are NaN": {"logits/iid.npy": packed(np.full((2, N, 3), np.nan, np.float32))},
    "bomb": {"logits/iid.npy": header((2, N, 3)) + bytes(2**28)},
}


def rewrite(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**whole, **members}.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_predictions_are_one_error(stored: Path, name: str) -> None:
    rewrite(stored, HOSTILE[name])
    with pytest.raises(BenchmarkError, match=r"predictions file .*cell\.npz is (damaged|inconsistent)"):
        Predictions.read(stored)


def test_pickled_predictions_are_never_run(stored: Path, tmp_path: Path) -> None:
    rewrite(stored, {"seeds.npy": packed(np.array([Touch(tmp_path / "ran"), 1], dtype=object))})
    with pytest.raises(BenchmarkError, match="allow_pickle=False"):
        Predictions.read(stored)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, -1])
def test_truncated_predictions_say_so(stored: Path, kept: float) -> None:
    content = stored.read_bytes()
    stored.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(BenchmarkError, match=r"is damaged.*Delete the file and train the cell again"):
        Predictions.read(stored)


@pytest.mark.parametrize("count", [300, pytest.param(8000, marks=pytest.mark.slow)])
def test_flipped_bytes_change_nothing_or_are_refused(stored: Path, count: int) -> None:
    content, whole, rng = stored.read_bytes(), Predictions.read(stored), np.random.default_rng(1)
    seen: Counter[str] = Counter()
    for _ in range(count):
        changed = bytearray(content)
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            changed[place] = int(rng.integers(256))
        stored.write_bytes(bytes(changed))
        try:
            found = Predictions.read(stored)
        except BenchmarkError:
            seen["refused"] += 1
            continue
        seen["taken"] += 1
        assert found.attributes == whole.attributes
        for variant, logits in whole.logits.items():
            np.testing.assert_array_equal(found.logits[variant], logits)
            assert found.tested[variant].same_as(whole.tested[variant])
    assert seen["refused"] > 0.8 * count
