"""A pack from elsewhere: no other file is read through it, nothing huge is believed, and it is never half read."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmark.data.pack import groups, read_attributes, read_blocks, read_index, read_pack
from benchmark.data.pack_write import write_columns
from benchmark.data.rows import read_rows
from benchmark.errors import BenchmarkError

N = 4
IMAGE = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 1)).astype(np.uint8)
MASK = np.zeros((N, 8, 8), np.uint8)
MASK[:, 2:5, 2:5] = 1
COLUMNS = {
    "image": IMAGE,
    "mask": MASK,
    "label": np.array([0, 1, 0, 1]),
    "unit": np.array(list("abcd")),
    "source": np.array(["here"] * N),
    "split": np.array(["train", "train", "val", "test"]),
    "id": np.array(list("abcd")),
    "mask_kind": np.array(["given"] * N),
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "pack.h5"
    write_columns(path, {"images": COLUMNS}, {"dataset": "toy"})
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["image"] = IMAGE
    (tmp_path / "secret.txt").write_bytes(bytes(1000))
    return path


def external_link(file: h5py.File, folder: Path) -> None:
    del file["images/image"]
    file["images/image"] = h5py.ExternalLink(str(folder / "secret.h5"), "/image")


def external_group(file: h5py.File, folder: Path) -> None:
    file["train"] = h5py.ExternalLink(str(folder / "secret.h5"), "/")


def soft_link(file: h5py.File, folder: Path) -> None:
    file["images/other"] = h5py.SoftLink("/images/image")


def endless_link(file: h5py.File, folder: Path) -> None:
    del file["images"]
    file["images"] = h5py.SoftLink("/images")


def group_in_itself(file: h5py.File, folder: Path) -> None:
    file["images/image2"] = file["images"]


def virtual_column(file: h5py.File, folder: Path) -> None:
    del file["images/image"]
    layout = h5py.VirtualLayout(IMAGE.shape, "u1")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "image", IMAGE.shape)
    file["images"].create_virtual_dataset("image", layout)


def bytes_of_another_file(file: h5py.File, folder: Path) -> None:
    del file["images/image"]
    where = [(str(folder / "secret.txt"), 0, IMAGE.nbytes)]
    file["images"].create_dataset("image", shape=IMAGE.shape, dtype="u1", external=where)


def petabytes(file: h5py.File, folder: Path) -> None:
    del file["images/image"]
    file["images"].create_dataset("image", shape=(10**9, 1000, 1000, 3), dtype="u1", chunks=(1, 100, 100, 1))


def objects(file: h5py.File, folder: Path) -> None:
    del file["images/id"]
    file["images"].create_dataset("id", data=list("abcd"), dtype=h5py.string_dtype())


def single_number(file: h5py.File, folder: Path) -> None:
    del file["images/label"]
    file["images/label"] = 3


def column_in_the_place_of_a_group(file: h5py.File, folder: Path) -> None:
    del file["images"]
    file["images"] = IMAGE


HOSTILE = (
    *(external_link, external_group, soft_link, endless_link, group_in_itself, virtual_column, bytes_of_another_file),
    *(petabytes, objects, single_number, column_in_the_place_of_a_group),
)


@pytest.mark.parametrize("edit", HOSTILE, ids=lambda edit: edit.__name__)
def test_no_reader_takes_a_hostile_pack(pack: Path, edit: Callable[[h5py.File, Path], None]) -> None:
    index = read_index(pack)
    with h5py.File(pack, "r+") as file:
        edit(file, pack.parent)
    readers: tuple[Callable[[], object], ...] = (
        lambda: groups(pack),
        lambda: read_attributes(pack),
        lambda: read_index(pack),
        lambda: read_pack(pack),
        lambda: list(read_blocks(pack, index, slice(0, N))),
        lambda: read_rows(pack, "images", ("image",), np.array([0, 2])),
    )
    for read in readers:
        with pytest.raises(BenchmarkError, match=r"of pack .* is not what a pack holds"):
            read()


@pytest.mark.parametrize("kept", [0, 10, 100, 0.5, 0.9, -1])
def test_a_truncated_pack_says_so(pack: Path, kept: float) -> None:
    content = pack.read_bytes()
    pack.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(BenchmarkError, match=r"is corrupt.*Delete it and run `dvc repro`"):
        read_pack(pack)


def test_a_flipped_bit_of_a_column_is_found(pack: Path) -> None:
    content = bytearray(pack.read_bytes())
    place = bytes(content).index(IMAGE.tobytes())
    content[place + 17] ^= 4
    pack.write_bytes(bytes(content))
    with pytest.raises(BenchmarkError, match="is corrupt"):
        read_pack(pack)


def test_a_sound_pack_is_read_as_it_was(pack: Path) -> None:
    images, attributes = read_pack(pack)
    assert attributes == {"dataset": "toy"}
    for name, values in COLUMNS.items():
        np.testing.assert_array_equal(getattr(images, name), values)


def test_a_column_of_zeros_shrinks_less_than_a_bomb(tmp_path: Path) -> None:
    zeros = {**COLUMNS, "image": np.zeros((400, 128, 128, 3), np.uint8)}
    write_columns(tmp_path / "zeros.h5", {"images": {"image": zeros["image"]}}, {})
    assert zeros["image"].nbytes / (tmp_path / "zeros.h5").stat().st_size > 50
    assert groups(tmp_path / "zeros.h5") == ["images"]
