import re
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from benchmark.api import Images
from benchmark.data.pack import groups, read_columns, read_pack, write_columns, write_pack
from benchmark.errors import BenchmarkError
from benchmark.files import sha256_file


def make_images(n=6, channels=1):
    rng = np.random.default_rng(0)
    mask = np.zeros((n, 5, 4), np.uint8)
    mask[:, 1:3, 1:3] = 1
    ids = np.array([f"image_{row}" for row in range(n)])
    return Images(
        image=rng.integers(0, 256, (n, 5, 4, channels), dtype=np.uint8),
        mask=mask,
        label=np.arange(n) % 2,
        unit=np.array([f"patient_{row // 2}" for row in range(n)]),
        source=np.full(n, "clinic"),
        split=np.array(["train", "train", "val", "val", "test", "test"][:n]),
        id=ids,
    )


def changed(name, row, value):
    """The images with one entry of one column replaced."""
    images = make_images()
    column = getattr(images, name).copy()
    column[row] = value
    return replace(images, **{name: column})


def assert_equal(one, other):
    for name in one.__dataclass_fields__:
        left, right = getattr(one, name), getattr(other, name)
        assert left.tolist() == right.tolist(), name
        assert left.dtype.kind == right.dtype.kind, name


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "set.h5"
    write_pack(path, make_images(), {"dataset": "set", "version": 2})
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pack_reads_back(tmp_path, channels):
    images = make_images(channels=channels)
    write_pack(tmp_path / "set.h5", images, {"dataset": "set", "version": 2})
    again, attributes = read_pack(tmp_path / "set.h5")
    assert_equal(again, images)
    assert (again.image.dtype, again.mask.dtype) == (np.uint8, np.uint8)
    assert attributes == {"dataset": "set", "version": 2}


def test_names_in_any_alphabet_read_back(tmp_path):
    names = np.array(["Müller", "李", "a", "Ωmega", "ü", "é" * 30])
    images = replace(make_images(), id=names, unit=names)
    write_pack(tmp_path / "set.h5", images, {"source": "Universitätsklinik"})
    again, attributes = read_pack(tmp_path / "set.h5")
    assert_equal(again, images)
    assert attributes == {"source": "Universitätsklinik"}


def test_any_tool_reads_the_pack(written):
    with h5py.File(written) as file:
        assert sorted(file["images"]) == sorted(Images.__dataclass_fields__)
        assert file["images/id"][0] == b"image_0"
        assert file["images/image"].shape == (6, 5, 4, 1)


def test_equal_content_gives_equal_bytes(tmp_path, written):
    time.sleep(1.1)  # the clock of HDF5 counts seconds
    again = tmp_path / "elsewhere" / "other_name.h5"
    write_pack(again, make_images(), {"version": 2, "dataset": "set"})
    assert sha256_file(again) == sha256_file(written)
    write_pack(again, changed("image", 0, 7), {"version": 2, "dataset": "set"})
    assert sha256_file(again) != sha256_file(written)


def test_groups_and_their_columns(tmp_path):
    path = tmp_path / "biased.h5"
    columns = {"label": np.array([1, 0]), "id": np.array(["a", "b"])}
    write_columns(path, {"val": columns, "iid": {"code": np.array([-1])}}, {})
    assert groups(path) == ["iid", "val"]
    found, attributes = read_columns(path, "val")
    assert {name: values.tolist() for name, values in found.items()} == {"label": [1, 0], "id": ["a", "b"]}
    assert attributes == {}


PERSON = np.array(["p0", "p0", "p1", "p1", "p0", "p2"])
OTHER_SIZE = np.ones((6, 4, 5), np.uint8)

BAD = {
    "mask with 2": (changed("mask", 3, 2), r"mask of image 'image_3' in set\.h5; got 'values \[2\]'.*0 and 1 only"),
    "mask with 255": (changed("mask", (2, 1), 255), r"mask of image 'image_2' .*values \[0, 1, 255\].*0 and 1 only"),
    "soft mask": (replace(make_images(), mask=make_images().mask * 0.5), r"'image_0' .*\[0\.0, 0\.5\].*0 and 1 only"),
    "negative mask": (
        replace(make_images(), mask=-make_images().mask.astype(np.int8)),
        r"'image_0' .*\[-1, 0\].*0 and 1 only",
    ),
    "nan mask": (replace(make_images(), mask=make_images().mask * np.nan), r"'image_0' .*nan.*0 and 1 only"),
    "mask of other size": (
        replace(make_images(), mask=OTHER_SIZE),
        r"masks of set\.h5 have another size.*got \(4, 5\); expected \(5, 4\)",
    ),
    "no foreground": (changed("mask", 4, 0), r"mask of image 'image_4' in set\.h5.*at least one foreground pixel"),
    "no background": (changed("mask", 5, 1), r"mask of image 'image_5' in set\.h5.*at least one background pixel"),
    "doubled id": (changed("id", 1, "image_0"), r"ids of set\.h5; expected unique names"),
    "negative label": (changed("label", 2, -1), r"labels of set\.h5; got 'int64 from -1'"),
    "label that is no index": (
        replace(make_images(), label=make_images().label + 0.5),
        r"labels of set\.h5; .*float64",
    ),
    "patient in two splits": (
        replace(make_images(), unit=PERSON),
        r"unit 'p0' of set\.h5 is in two splits; got 'train and test'",
    ),
    "misspelt split": (changed("split", 3, "tset"), r"split of set\.h5; got 'tset'; expected train, val, test"),
    "real-valued image": (
        replace(make_images(), image=make_images().image / 255),
        r"images of set\.h5; got 'float64 .*uint8 \[N, H, W, C\]",
    ),
    "no channel": (
        replace(make_images(), image=make_images().image[..., 0]),
        r"images of set\.h5; got 'uint8 \(6, 5, 4\)'.*\[N, H, W, C\]",
    ),
    "short column": (replace(make_images(), id=make_images().id[:5]), r"column 'id' of set\.h5; got '5 rows'.*6 rows"),
    "no image": (make_images().take(np.arange(0)), r"set\.h5 holds no images"),
}


@pytest.mark.parametrize("images, told", BAD.values(), ids=BAD)
def test_bad_images_are_refused_when_written_and_when_read(tmp_path, images, told):
    path = tmp_path / "set.h5"
    with pytest.raises(BenchmarkError, match=told):
        write_pack(path, images, {})
    assert not path.exists()
    write_columns(path, {"images": vars(images)}, {})  # as another program might
    with pytest.raises(BenchmarkError, match=told):
        read_pack(path)


def test_the_first_bad_mask_is_told(tmp_path):
    images = changed("mask", slice(2, 5), 3)
    with pytest.raises(BenchmarkError, match="mask of image 'image_2'"):
        write_pack(tmp_path / "set.h5", images, {})


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_corrupt(written, share):
    whole = written.read_bytes()
    written.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(
        BenchmarkError, match=rf"pack {re.escape(str(written))} is corrupt.*Delete it and run `dvc repro`"
    ):
        read_pack(written)


def test_a_flipped_byte_ends_in_no_other_error(written):
    whole = written.read_bytes()
    told = 0
    for place in range(0, len(whole), 251):
        written.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_pack(written)
        except BenchmarkError as error:
            assert "set.h5" in str(error)
            told += 1
    assert told > 0


def test_a_flipped_byte_in_compressed_pixels_is_told(tmp_path):
    path = tmp_path / "set.h5"
    write_pack(path, replace(make_images(), image=np.repeat(make_images().mask[..., None], 30, axis=-1)), {})
    with h5py.File(path) as file:
        chunk = file["images/image"].id.get_chunk_info(0)
    whole = path.read_bytes()
    for place in range(chunk.byte_offset + 2, chunk.byte_offset + chunk.size):  # after the two bytes of zlib's header
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(BenchmarkError, match=r"pack .*set\.h5 is corrupt"):
            read_pack(path)


@pytest.mark.parametrize("content", [b"file,label\na.png,1\n", b"\0" * 4096, b"\x89HDF\r\n\x1a\n" + b"\0" * 500])
def test_a_file_that_is_no_hdf5_is_corrupt(tmp_path, content):
    path = tmp_path / "set.h5"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=rf"pack {re.escape(str(path))} is corrupt"):
        read_pack(path)


@pytest.mark.parametrize("read", [read_pack, groups, lambda path: read_columns(path, "iid")])
def test_a_missing_file_is_told(tmp_path, read):
    with pytest.raises(BenchmarkError, match=r"pack .*gone\.h5 is missing\. Run `dvc repro`"):
        read(tmp_path / "gone.h5")


def test_a_missing_group_is_told(written):
    with pytest.raises(BenchmarkError, match=r"pack .*set\.h5 lacks the group 'iid'; got \['images'\]; expected iid"):
        read_columns(written, "iid")


def test_a_missing_column_is_told(tmp_path):
    columns = {name: values for name, values in vars(make_images()).items() if name not in ("unit", "mask")}
    write_columns(tmp_path / "set.h5", {"images": columns}, {})
    with pytest.raises(BenchmarkError, match=r"set\.h5 lacks columns; .*expected also mask, unit"):
        read_pack(tmp_path / "set.h5")
