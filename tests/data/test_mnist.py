"""MNIST and Fashion-MNIST from made IDX files, and from the real ones where they are."""

import gzip
import hashlib

import numpy as np
import pytest
from archives import CONFIGS, fetched, idx, packed, shipped
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_fill_holes

from benchmark.config import read_yaml
from benchmark.data.idx import read_idx
from benchmark.data.mnist import MNIST, FashionMNIST
from benchmark.data.rules import check_index, check_units
from benchmark.errors import BenchmarkError
from benchmark.paths import data_root

RING = np.zeros((28, 28), np.uint8)
RING[8:13, 8:13] = 200
RING[10, 10] = 0


def tiny(train: int = 40, test: int = 20, image=RING) -> dict[str, bytes]:
    """The four files: image ``n`` has its number in the first pixel of its ring, its label is ``n % 10``."""
    files = {}
    for name, count in (("train", train), ("t10k", test)):
        images = np.repeat(image[None], count, axis=0)
        images[:, 8, 8] = 100 + np.arange(count) % 100
        files[f"{name}-images-idx3-ubyte.gz"] = idx(images)
        files[f"{name}-labels-idx1-ubyte.gz"] = idx(np.arange(count) % 10)
    return files


def test_validation_is_drawn_from_the_training_images_each_class_in_its_share(tmp_path):
    dataset, raw = fetched(MNIST, "mnist", tiny(), tmp_path, val=10)
    images = packed(dataset, raw)
    assert len(images) == 60
    counts = {"train": [3] * 10, "val": [1] * 10, "test": [2] * 10}
    for split, each in counts.items():
        labels = [int(image.label) for image in images.values() if image.split == split]
        assert np.bincount(labels, minlength=10).tolist() == each
    assert {image.split for name, image in images.items() if name.startswith("test")} == {"test"}


def test_an_id_names_the_file_and_the_place_in_it(tmp_path):
    dataset, raw = fetched(MNIST, "mnist", tiny(), tmp_path, val=10)
    images = packed(dataset, raw)
    for part, count in (("train", 40), ("test", 20)):
        for row in range(count):
            image = images[f"{part}_{row:05d}"]
            assert image.image[8, 8, 0] == 100 + row
            assert int(image.label) == row % 10
            assert image.unit == image.id
            assert image.source == "mnist"
            assert image.mask_kind == "ink"


def test_the_foreground_of_a_digit_is_its_ink_and_what_touches_it(tmp_path):
    dataset, raw = fetched(MNIST, "mnist", tiny(image=np.where(RING > 0, RING, 25)), tmp_path, val=10)
    expected = np.zeros((28, 28), np.uint8)
    expected[7:14, 7:14] = 1  # the ring's hole is one pixel, so it touches ink, too; 25 is not above a tenth of white
    for image in packed(dataset, raw).values():
        assert np.array_equal(image.mask, expected)


def test_the_foreground_of_a_garment_has_no_holes_and_is_not_dilated(tmp_path):
    garment = RING.copy()
    garment[8:13, 8:13][1:4, 1:4] = 0
    garment[20, 20] = 5  # below the threshold of two hundredths of white
    dataset, raw = fetched(FashionMNIST, "fashion_mnist", tiny(image=garment), tmp_path, val=10)
    expected = np.zeros((28, 28), np.uint8)
    expected[8:13, 8:13] = 1
    images = packed(dataset, raw)
    assert all(np.array_equal(image.mask, expected) for image in images.values())
    assert {str(image.source) for image in images.values()} == {"fashion_mnist"}


def test_holes_are_filled_image_by_image(tmp_path):
    dataset = shipped(FashionMNIST, "fashion_mnist", "http://127.0.0.1", val=10)
    rng = np.random.default_rng(0)
    for name, content in tiny().items():
        if "images" in name:
            count = len(read_idx_bytes(content, tmp_path))
            content = idx(rng.integers(0, 2, (count, 28, 28)) * 255)
        (tmp_path / name).write_bytes(content)
    index = dataset.index(tmp_path)
    image, mask = dataset.pixels(tmp_path, index, np.arange(len(index)))
    for pixels, found in zip(image[..., 0], mask, strict=True):
        assert np.array_equal(found, binary_fill_holes(pixels > 5))


def read_idx_bytes(content: bytes, folder) -> np.ndarray:
    (folder / "one.gz").write_bytes(content)
    return read_idx(folder / "one.gz", (28, 28))


def test_the_classes_have_names():
    address = "http://127.0.0.1"
    assert shipped(MNIST, "mnist", address).classes(None) == tuple("0123456789")
    garments = shipped(FashionMNIST, "fashion_mnist", address).classes(None)
    assert (garments[0], garments[7], garments[9]) == ("t_shirt", "sneaker", "ankle_boot")


def test_another_split_seed_gives_another_split(tmp_path):
    dataset, raw = fetched(MNIST, "mnist", tiny(), tmp_path, val=10)
    other = MNIST(dataset.settings.model_copy(update={"split_seed": 1}))
    first, second = dataset.index(raw), other.index(raw)
    assert not np.array_equal(first.split, second.split)
    assert np.array_equal(first.split, MNIST(dataset.settings).index(raw).split)


# --- what is refused --------------------------------------------------------------------------------


def broken(tmp_path, name: str, content: bytes | None):
    """The index of tiny files of which one is another."""
    dataset = shipped(MNIST, "mnist", "http://127.0.0.1", val=10)
    for file, right in tiny().items():
        (tmp_path / file).write_bytes(right)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    return dataset.index(tmp_path)


def test_a_label_that_is_no_digit_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match=r"label of image 7 in train-labels.*got 10; expected 0 to 9"):
        broken(tmp_path, "train-labels-idx1-ubyte.gz", idx([1] * 7 + [10] + [1] * 32))


def test_another_number_of_labels_than_of_images_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match=r"t10k-labels.*got '19 labels'; expected 20, one for every image"):
        broken(tmp_path, "t10k-labels-idx1-ubyte.gz", idx([1] * 19))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        (b"<html>not found</html>", "cannot be read; got .BadGzipFile"),
        (gzip.compress(b""), r"begins with , axes \[\]"),
        (idx(np.zeros((20, 27, 28))), r"axes \[20, 27, 28\]"),
        (idx(np.zeros(20)), "begins with 00000801"),
        (tiny()["t10k-images-idx3-ubyte.gz"][:60], "EOFError"),
        (gzip.compress(gzip.decompress(tiny()["t10k-images-idx3-ubyte.gz"])[:-1]), "15679 bytes"),
        (gzip.compress(gzip.decompress(tiny()["t10k-images-idx3-ubyte.gz"]) + b"x"), "15680 bytes or more"),
        (gzip.compress(bytes((0, 0, 8, 3)) + b"\xff\xff\xff\xff" + bytes((0, 0, 0, 28)) * 2), "axes"),
    ],
    # A gzip file holds the time at which it was made: no name for a test that two processes collect.
    ids=["missing", "page", "empty", "27_rows", "one_axis", "cut", "one_byte_less", "one_byte_more", "endless_axis"],
)
def test_a_damaged_file_is_named(tmp_path, content, said):
    with pytest.raises(BenchmarkError, match=f"t10k-images-idx3-ubyte.gz.*{said}"):
        broken(tmp_path, "t10k-images-idx3-ubyte.gz", content)


@given(st.binary(max_size=200))
def test_no_bytes_are_read_as_an_array_by_mistake(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("idx") / "x.gz"
    file.write_bytes(gzip.compress(content))
    with pytest.raises(BenchmarkError, match=r"x\.gz cannot be read"):
        read_idx(file, (28, 28))


# --- the real files ---------------------------------------------------------------------------------

UNPACKED = {  # of the uncompressed files
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(scope="module")
def real():
    folder = data_root() / "mnist"
    if not all((folder / f"{name}.gz").is_file() for name in UNPACKED):
        pytest.skip(f"the files of MNIST are not in {folder}")
    return folder


def test_the_real_digits_are_70_000_with_ink_and_background(real):
    dataset = shipped(MNIST, "mnist", "http://127.0.0.1")
    index = dataset.index(real)
    check_index(index, "mnist")
    check_units(index, "mnist")
    assert {name: int((index.split == name).sum()) for name in ("train", "val", "test")} == {
        "train": 55_000,
        "val": 5_000,
        "test": 10_000,
    }
    published = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(index.label[index.split != "test"]).tolist() == published
    image, mask = dataset.pixels(real, index, np.arange(0, len(index), 7))
    share = mask.reshape(len(mask), -1).mean(axis=1)
    assert 0 < share.min() < share.max() < 1
    assert (image[..., 0][mask == 0] <= 25).all()


def test_the_real_files_are_the_published_ones(real):
    for name, md5 in UNPACKED.items():
        content = gzip.decompress((real / f"{name}.gz").read_bytes())
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == md5


def test_the_hashes_in_the_settings_are_those_of_real_files_that_are_the_published_archives(real):
    """Somebody's copy may be compressed anew: what counts is a file of the size in the settings."""
    checked = 0
    for file in read_yaml(CONFIGS / "mnist.yaml")["origin"]["files"]:
        content = (real / file["name"]).read_bytes()
        if len(content) == file["size"]:
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            assert hashlib.md5(content, usedforsecurity=False).hexdigest() == file["md5"]
            checked += 1
    assert checked
