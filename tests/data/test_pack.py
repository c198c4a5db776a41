import re
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from benchmark.api import Images, Index
from benchmark.data import pack as reading
from benchmark.data import pack_write
from benchmark.data.pack import class_names, groups, read_attributes, read_blocks, read_columns, read_index, read_pack
from benchmark.data.pack_write import by_split, write_columns, write_pack
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
        mask_kind=np.array(["human", "box"])[np.arange(n) % 2],
    )


def index_of(images):
    return Index(**{name: getattr(images, name) for name in Index.__dataclass_fields__})


def write(path, images, attributes, *, rows=99):
    """Writes images as a pack, so many at a time."""
    starts = range(0, max(1, len(images.image)), rows)
    blocks = [(images.image[start : start + rows], images.mask[start : start + rows]) for start in starts]
    write_pack(path, index_of(images), blocks, attributes)


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
    write(path, make_images(), {"dataset": "set", "version": 2})
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pack_reads_back(tmp_path, channels):
    images = make_images(channels=channels)
    write(tmp_path / "set.h5", images, {"dataset": "set", "version": 2})
    again, attributes = read_pack(tmp_path / "set.h5")
    assert_equal(again, images)
    assert (again.image.dtype, again.mask.dtype) == (np.uint8, np.uint8)
    assert attributes == {"dataset": "set", "version": 2}


def test_names_in_any_alphabet_read_back(tmp_path):
    names = np.array(["Müller", "李", "a", "Ωmega", "ü", "é" * 30])
    images = replace(make_images(), id=names, unit=names)
    write(tmp_path / "set.h5", images, {"source": "Universitätsklinik"})
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
    write(again, make_images(), {"version": 2, "dataset": "set"})
    assert sha256_file(again) == sha256_file(written)
    write(again, changed("image", 0, 7), {"version": 2, "dataset": "set"})
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


BAD_INDEX = {
    told for _, told in BAD.values() if not re.match(r"(images|masks?|'image)", told) and "0 and 1" not in told
}


@pytest.mark.parametrize(("images", "told"), BAD.values(), ids=BAD)
def test_bad_images_are_refused_when_written_and_when_read(tmp_path, images, told):
    path = tmp_path / "set.h5"
    with pytest.raises(BenchmarkError, match=told):
        write(path, images, {})
    assert not path.exists()
    with h5py.File(path, "w") as file:  # as another program might write it
        for name, values in vars(images).items():
            file[f"images/{name}"] = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
    with pytest.raises(BenchmarkError, match=told):
        read_pack(path)
    if told in BAD_INDEX:
        with pytest.raises(BenchmarkError, match=told):
            read_index(path)
    else:  # the pixels of an index that is right
        index = read_index(path)
        with pytest.raises(BenchmarkError, match=told):
            list(read_blocks(path, index, slice(0, 6)))


def test_the_first_bad_mask_is_told(tmp_path):
    images = changed("mask", slice(2, 5), 3)
    with pytest.raises(BenchmarkError, match="mask of image 'image_2'"):
        write(tmp_path / "set.h5", images, {})


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


@pytest.mark.parametrize("column", ["image", "mask", "label", "id"])
@pytest.mark.parametrize("kind", ["photographs", "drawings"])
def test_a_flipped_byte_of_a_column_is_told(tmp_path, column, kind):
    path = tmp_path / "set.h5"
    images = make_images(channels=30)
    if kind == "drawings":
        images = replace(images, image=np.repeat(images.mask[..., None], 30, axis=-1))
    write(path, images, {})
    with h5py.File(path) as file:
        assert file["images/image"].compression == {"photographs": None, "drawings": "lzf"}[kind]
        chunk = file["images"][column].id.get_chunk_info(0)
    whole = path.read_bytes()
    for place in range(chunk.byte_offset, chunk.byte_offset + chunk.size, max(1, chunk.size // 150)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(BenchmarkError, match=r"pack .*set\.h5 is corrupt.*Delete it and run `dvc repro`"):
            read_pack(path)


@pytest.mark.parametrize("content", [b"file,label\na.png,1\n", b"\0" * 4096, b"\x89HDF\r\n\x1a\n" + b"\0" * 500])
def test_a_file_that_is_no_hdf5_is_corrupt(tmp_path, content):
    path = tmp_path / "set.h5"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=rf"pack {re.escape(str(path))} is corrupt"):
        read_pack(path)


@pytest.mark.parametrize("read", [read_pack, read_index, groups, lambda path: read_columns(path, "iid")])
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
    with pytest.raises(BenchmarkError, match=r"set\.h5/images lacks columns; .*expected also mask, unit"):
        read_columns(tmp_path / "set.h5", "images", ["label", "mask", "unit"])
    with pytest.raises(BenchmarkError, match=r"set\.h5/images lacks columns; .*expected also unit"):
        read_index(tmp_path / "set.h5")


# --- block by block ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 4, 5])
@pytest.mark.parametrize("chunk", [1, 50, 2**20])
def test_a_pack_written_in_blocks_reads_back(tmp_path, monkeypatch, rows, chunk):
    monkeypatch.setattr(pack_write, "CHUNK", chunk)
    names = np.array(["a", "b", "Müller", "d", "eeeeeeeeee", "李李李李李李李李李李"])
    images = replace(make_images(channels=3), id=names, unit=names)
    write(tmp_path / "set.h5", images, {}, rows=rows)
    again, _ = read_pack(tmp_path / "set.h5")
    assert_equal(again, images)
    assert_equal(read_index(tmp_path / "set.h5"), index_of(images))


@pytest.mark.parametrize(
    ("blocks", "told"), [([2, 3], "5 rows"), ([], "0 rows"), ([6, 2], "2 rows"), ([4, 4], "4 rows")]
)
def test_blocks_that_are_not_the_index_are_refused(tmp_path, blocks, told):
    images = make_images()
    parts = [(images.image[:count], images.mask[:count]) for count in blocks]
    with pytest.raises(BenchmarkError, match=rf"set\.h5; got '{told}'; expected [026] rows"):
        write_pack(tmp_path / "set.h5", index_of(images), parts, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [(5, 5, 1), (5, 4, 3), (4, 4, 1)])
def test_a_block_of_another_shape_is_refused(tmp_path, other):
    images = make_images()
    image, mask = np.zeros((4, *other), np.uint8), np.zeros((4, *other[:2]), np.uint8)
    mask[:, 1, 1] = 1
    with pytest.raises(BenchmarkError, match=r"images of set\.h5 from row 2; got \(.*\); expected \(5, 4, 1\)"):
        write_pack(tmp_path / "set.h5", index_of(images), [(images.image[:2], images.mask[:2]), (image, mask)], {})
    assert list(tmp_path.iterdir()) == []


def test_a_source_of_blocks_that_fails_leaves_the_old_pack(tmp_path, written):
    before = written.read_bytes()

    def failing():
        yield make_images().image[:2], make_images().mask[:2]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_pack(written, index_of(make_images()), failing(), {})
    assert written.read_bytes() == before
    assert list(tmp_path.iterdir()) == [written]


def test_splits_that_alternate_are_refused_and_by_split_mends_them(tmp_path):
    mixed = make_images().take(np.array([4, 0, 2, 5, 1, 3]))
    with pytest.raises(BenchmarkError, match=r"rows of set\.h5; got 'splits that alternate'; expected in order"):
        write(tmp_path / "set.h5", mixed, {})
    write(tmp_path / "set.h5", mixed.take(by_split(mixed)), {})
    assert read_index(tmp_path / "set.h5").id.tolist() == [f"image_{row}" for row in (0, 1, 2, 3, 4, 5)]


def test_by_split_keeps_the_order_within_a_split():
    split = np.array(["external", "test", "train", "test", "val", "train", "external"])
    assert by_split(replace(index_of(make_images()), split=split)).tolist() == [2, 5, 4, 1, 3, 0, 6]


@pytest.mark.parametrize(("size", "expected"), [(1, [1] * 4), (40, [2, 2]), (60, [3, 1]), (2**26, [4])])
def test_blocks_are_read_with_their_rows(written, monkeypatch, size, expected):
    monkeypatch.setattr(reading, "BLOCK", size)  # an image has 20 bytes
    images = make_images()
    found = list(read_blocks(written, index_of(images), slice(1, 5)))
    assert [len(image) for _, image, _ in found] == expected
    assert np.concatenate([np.arange(6)[rows] for rows, _, _ in found]).tolist() == [1, 2, 3, 4]
    for rows, image, mask in found:
        assert np.array_equal(image, images.image[rows])
        assert np.array_equal(mask, images.mask[rows])


def test_columns_and_rows_are_read_as_asked(written):
    images = make_images()
    found, attributes = read_columns(written, "images", ["label", "id"], slice(2, 5))
    assert list(found) == ["label", "id"]
    assert found["label"].tolist() == images.label[2:5].tolist()
    assert found["id"].tolist() == images.id[2:5].tolist()
    assert attributes == read_attributes(written) == {"dataset": "set", "version": 2}
    assert set(read_columns(written, "images")[0]) == set(Images.__dataclass_fields__)


def test_an_index_is_read_without_the_pixels(tmp_path, written):
    columns = index_of(make_images()).columns()
    write_columns(tmp_path / "bare.h5", {"images": columns}, {})
    assert_equal(read_index(tmp_path / "bare.h5"), read_index(written))


def test_one_row_reads_no_more_than_its_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_write, "CHUNK", 40)  # two images
    path = tmp_path / "set.h5"
    write(path, make_images(), {})
    with h5py.File(path) as file:
        last = file["images/image"].id.get_chunk_info(2)
    whole = path.read_bytes()
    path.write_bytes(whole[: last.byte_offset] + b"damage" + whole[last.byte_offset + 6 :])
    found, _ = read_columns(path, "images", ["image"], slice(0, 4))
    assert np.array_equal(found["image"], make_images().image[:4])
    with pytest.raises(BenchmarkError, match="is corrupt"):
        read_columns(path, "images", ["image"], slice(3, 5))


def test_photographs_are_stored_as_they_are_and_drawings_are_compressed(tmp_path, digits):
    photographs = np.random.default_rng(0).normal(128, 40, (100, 28, 28, 1)).clip(0, 255).astype(np.uint8)
    few = digits.take(slice(0, 100))
    for name, image, expected in (("photographs", photographs, None), ("drawings", few.image, "lzf")):
        path = tmp_path / f"{name}.h5"
        write_columns(path, {"images": {"image": image, "mask": few.mask}}, {})
        with h5py.File(path) as file:
            assert file["images/image"].compression == expected
            assert file["images/mask"].compression == "lzf"
            assert all(column.fletcher32 for column in file["images"].values())


def test_class_names_are_read_from_the_attributes(tmp_path):
    write(tmp_path / "set.h5", make_images(), {"classes": '["healthy", "übel"]'})
    assert class_names(read_attributes(tmp_path / "set.h5")) == ("healthy", "übel")
    assert class_names({}) == ()
