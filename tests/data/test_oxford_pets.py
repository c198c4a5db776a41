"""Oxford-IIIT Pet from a tiny archive of its layout: three breeds, images of 6 x 8 with a known trimap."""

import numpy as np
import pytest
from archives import fetched, packed, plain, png, tar

from benchmark.data.oxford_pets import OxfordPets
from benchmark.errors import BenchmarkError

BREEDS = {"Abyssinian": (1, 1, 1), "american_bulldog": (2, 2, 1), "Bengal": (6, 1, 2)}
"""Number of the breed, of the species, and within the species."""
TRIMAP = np.full((8, 8), 2, np.uint8)
TRIMAP[1:7, 1:7] = 3
TRIMAP[2:6, 2:6] = 1


def line(image: str) -> str:
    return " ".join(map(str, (image, *BREEDS[image.rpartition("_")[0]])))


def tiny(trimap=TRIMAP) -> dict[str, dict[str, bytes]]:
    trained = [f"{breed}_{n}" for breed in BREEDS for n in range(1, 11)]
    tests = [f"{breed}_{n}" for breed in BREEDS for n in range(201, 203)]
    header = ["#Image CLASS-ID SPECIES BREED ID", "#ID: 1:37 Class ids"]
    lists = {"trainval": trained, "test": tests, "list": [*trained, *tests]}
    texts = {
        f"annotations/{name}.txt": "\n".join([*(header if name == "list" else []), *map(line, images), ""]).encode()
        for name, images in lists.items()
    }
    images = {f"images/{name}.jpg": plain((n, 50, 90)) for n, name in enumerate(lists["list"])}
    images["images/Abyssinian_34.jpg"] = b"GIF89a, one of those that no list names"
    trimaps = {f"annotations/trimaps/{name}.png": png(trimap) for name in lists["list"]}
    trimaps["annotations/trimaps/._Abyssinian_1.png"] = b"what a Mac left"
    return {"images.tar.gz": images, "annotations.tar.gz": {**texts, **trimaps}}


def get(tmp_path, archives, **changes):
    content = {name: tar(files) for name, files in archives.items()}
    return fetched(OxfordPets, "oxford_pets", content, tmp_path, **{"size": 8, **changes})


def test_breeds_splits_and_units_are_those_of_the_lists(tmp_path):
    dataset, raw = get(tmp_path, tiny())
    images = packed(dataset, raw)
    assert dataset.classes(raw) == ("abyssinian", "american_bulldog", "bengal")
    assert len(images) == 36
    for place, breed in enumerate(BREEDS):
        own = {name: image for name, image in images.items() if name.startswith(breed)}
        assert {int(image.label) for image in own.values()} == {place}
        assert {name for name, image in own.items() if image.split == "test"} == {f"{breed}_201", f"{breed}_202"}
        assert sorted(str(image.split) for image in own.values() if image.split != "test") == ["train"] * 9 + ["val"]
    assert all(image.unit == image.id and image.mask_kind == "trimap" for image in images.values())
    assert images["Abyssinian_3"].image[0, 0].tolist() == [2, 50, 90]


def test_cats_and_dogs_may_be_the_classes(tmp_path):
    dataset, raw = get(tmp_path, tiny(), classes="species")
    images = packed(dataset, raw)
    assert dataset.classes(raw) == ("cat", "dog")
    assert {name.rpartition("_")[0] for name, image in images.items() if image.label == 1} == {"american_bulldog"}


@pytest.mark.parametrize(("border", "low", "high"), [("foreground", 1, 7), ("background", 2, 6)])
def test_the_border_belongs_where_the_settings_say(tmp_path, border, low, high):
    dataset, raw = get(tmp_path, tiny(), border=border)
    expected = np.zeros((8, 8), np.uint8)
    expected[low:high, low:high] = 1
    assert all(np.array_equal(image.mask, expected) for image in packed(dataset, raw).values())


def test_image_and_trimap_are_cropped_alike(tmp_path):
    wide = np.full((8, 12), 2, np.uint8)
    wide[:, 4] = 1
    archives = tiny(trimap=wide)
    for name in archives["images.tar.gz"]:
        pixels = np.zeros((8, 12, 3), np.uint8)
        pixels[:, 4] = 255
        archives["images.tar.gz"][name] = png(pixels)
    dataset, raw = get(tmp_path, archives)
    for image in packed(dataset, raw).values():
        assert np.array_equal(image.mask, image.image[..., 0] // 255)
        assert image.mask[:, 2].all()  # two columns are cut off on either side
        assert image.mask.sum() == 8


# --- what is refused --------------------------------------------------------------------------------


def test_a_value_that_no_trimap_has_is_refused(tmp_path):
    strange = TRIMAP.copy()
    strange[0, 0] = 0
    dataset, raw = get(tmp_path, tiny(trimap=strange))
    with pytest.raises(BenchmarkError, match=r"trimap annotations/trimaps/.*got \[0\]; expected values 1, 2 and 3"):
        dataset.load(raw)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"Abyssinian_201 1 1", r"line 1 of annotations/test.txt; got 'Abyssinian_201 1 1'; expected 4 fields"),
        (b"Abyssinian_201 38 1 1", r"breed in line 1 of .*; got '38'; expected a whole number from 1 to 37"),
        (b"Abyssinian_201 1 3 1", r"species in line 1 of .*; got '3'"),
        (b"Abyssinian_201 one 1 1", r"breed in line 1 of .*; got 'one'"),
        (b"Abyssinian_201 2 1 1", r"got '2, cat for Abyssinian_201'; expected 1, cat, as for other images"),
        (b"Abyssinian_201 1 2 1", r"got '1, dog for Abyssinian_201'; expected 1, cat"),
        (b"\xff\xfe", r"file annotations/test.txt.*expected text"),
    ],
)
def test_a_line_that_breaks_the_form_of_a_list_is_named(tmp_path, text, said):
    archives = tiny()
    archives["annotations.tar.gz"]["annotations/test.txt"] = text
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


@pytest.mark.parametrize(
    ("archive", "name"),
    [("images.tar.gz", "images/Bengal_4.jpg"), ("annotations.tar.gz", "annotations/trimaps/Bengal_4.png")],
)
def test_a_listed_file_that_is_missing_is_named(tmp_path, archive, name):
    archives = tiny()
    del archives[archive][name]
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=rf"1 missing .*got '{name}'"):
        dataset.index(raw)


@pytest.mark.parametrize(
    ("archive", "name"),
    [("images.tar.gz", "images/Bengal_4.jpg"), ("annotations.tar.gz", "annotations/trimaps/Bengal_4.png")],
)
def test_a_file_that_is_cut_short_is_named(tmp_path, archive, name):
    archives = tiny()
    archives[archive][name] = archives[archive][name][:50]
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=rf"image {name} cannot be read"):
        dataset.load(raw)


def test_a_trimap_of_another_size_than_its_image_is_refused(tmp_path):
    archives = tiny()
    archives["annotations.tar.gz"]["annotations/trimaps/Bengal_4.png"] = png(TRIMAP[:7])
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"Bengal_4.png has another size than its image; got \(7, 8\)"):
        dataset.load(raw)


def test_an_archive_of_another_layout_is_refused_with_the_file_that_was_expected(tmp_path):
    archives = tiny()
    archives["annotations.tar.gz"] = {
        name.removeprefix("annotations/"): content for name, content in archives["annotations.tar.gz"].items()
    }
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(
        BenchmarkError, match=r"annotations/trainval.txt is not among the data set's files; got '.*trimaps"
    ):
        dataset.index(raw)


def test_test_images_are_official_so_no_share_is_drawn(tmp_path):
    with pytest.raises(BenchmarkError, match=r"test must be 0, as the test images are official; got 0\.2"):
        get(tmp_path, tiny(), split={"val": 0.1, "test": 0.2})
