"""Caltech-UCSD Birds from a tiny archive of its layout."""

import numpy as np
import pytest
from archives import fetched, packed, plain, png, tar
from birds import AGREED, BIRD, SPECIES, image_name, tiny_birds

from benchmark.data.cub import CUB
from benchmark.errors import BenchmarkError

LISTS = "CUB_200_2011"


def get(tmp_path, archives, **changes):
    content = {name: tar(files) for name, files in archives.items()}
    return fetched(CUB, "cub", content, tmp_path, **{"size": 8, **changes})


def edited(name: str, old: str, new: str) -> dict[str, dict[str, bytes]]:
    """The tiny archive with one line of one list changed."""
    archives = tiny_birds()
    files = archives["CUB_200_2011.tgz"]
    text = files[f"{LISTS}/{name}"].decode()
    assert text.count(old) == 1
    files[f"{LISTS}/{name}"] = text.replace(old, new).encode()
    return archives


def test_species_splits_and_units_are_those_of_the_lists(tmp_path):
    dataset, raw = get(tmp_path, tiny_birds())
    images = packed(dataset, raw)
    assert dataset.classes(raw) == tuple(sorted(home.partition(".")[2] for home in SPECIES.values()))
    assert len(images) == 84
    for home in SPECIES.values():
        own = [images[image_name(home, n)] for n in range(14)]
        names = {dataset.classes(raw)[int(image.label)] for image in own}
        assert names == {home.partition(".")[2]}
        assert [str(image.split) for image in own[10:]] == ["test"] * 4
        assert sorted(str(image.split) for image in own[:10]) == ["train"] * 9 + ["val"]
    assert all(image.unit == image.id and image.source == "cub" for image in images.values())


def test_the_foreground_is_where_more_than_half_of_white_is(tmp_path):
    dataset, raw = get(tmp_path, tiny_birds())
    images = packed(dataset, raw)
    assert BIRD.sum() == 15
    assert all(np.array_equal(image.mask, BIRD.astype(np.uint8)) for image in images.values())
    assert (images[image_name(SPECIES[16], 2)].image == (16, 0, 77)).all()
    assert {str(image.mask_kind) for image in images.values()} == {"human"}


def test_a_grey_photograph_and_a_segmentation_with_alpha_are_read(tmp_path):
    archives = tiny_birds()
    name = image_name(SPECIES[1], 0)
    archives["CUB_200_2011.tgz"][f"{LISTS}/images/{name}.jpg"] = png(np.full((8, 8), 40))
    alpha = np.dstack([AGREED, np.full_like(AGREED, 255)])
    archives["segmentations.tgz"][f"segmentations/{name}.png"] = png(alpha)
    dataset, raw = get(tmp_path, archives)
    image = packed(dataset, raw)[name]
    assert (image.image == 40).all()
    assert np.array_equal(image.mask, BIRD.astype(np.uint8))


def test_some_species_may_be_kept_alone(tmp_path):
    dataset, raw = get(tmp_path, tiny_birds(), species=["Horned_Puffin", "Pacific_Loon"])
    assert dataset.classes(raw) == ("Horned_Puffin", "Pacific_Loon")
    assert len(dataset.index(raw)) == 28


def test_an_unknown_species_is_refused_with_the_nearest(tmp_path):
    dataset, raw = get(tmp_path, tiny_birds(), species=["Horned_Pufin"])
    with pytest.raises(
        BenchmarkError, match=r"unknown species; got 'Horned_Pufin'; expected did you mean 'Horned_Puffin'"
    ):
        dataset.index(raw)


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("image_class_labels.txt", "\n3 1\n", "\n3 16\n", r"class of 001.*_0002.jpg; got '16, 016.Painted_Bunting'"),
        ("image_class_labels.txt", "\n3 1\n", "\n3 201\n", r"class of image 3 in .*got '201'.*from 1 to 200"),
        ("image_class_labels.txt", "\n3 1\n", "\n3 2\n", r"got '2, None'; expected that of 001.Black_footed_Albatross"),
        ("image_class_labels.txt", "\n3 1\n", "\n", r"image_class_labels.txt; got 'another set of images: 3'"),
        ("image_class_labels.txt", "\n3 1\n", "\n4 16\n", r"image 4 in line 4 of .*got 'a second line'"),
        ("train_test_split.txt", "\n3 1\n", "\n3 2\n", r"image 3 in .*train_test_split.txt; got '2'.*from 0 to 1"),
        (
            "train_test_split.txt",
            "\n3 1\n",
            "\n3 1\n999 1\n",
            r"train_test_split.txt; got 'another set of images: 999'",
        ),
        ("images.txt", "\n3 ", "\n3 ../", r"class of \.\./001"),
        ("classes.txt", "1 001.Black", "201 001.Black", r"class in line 1 of .*classes.txt; got '201'"),
    ],
)
def test_a_line_that_breaks_the_form_of_a_list_is_named(tmp_path, name, old, new, said):
    dataset, raw = get(tmp_path, edited(name, old, new))
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


@pytest.mark.parametrize(
    ("archive", "start", "end"),
    [("CUB_200_2011.tgz", f"{LISTS}/images/", ".jpg"), ("segmentations.tgz", "segmentations/", ".png")],
)
def test_a_listed_file_that_is_missing_or_cut_short_is_named(tmp_path, archive, start, end):
    name = f"{start}{image_name(SPECIES[1], 3)}{end}"
    for number, (content, said) in enumerate(
        [(None, f"1 missing .*got '{name}'"), (b"\x89PNG", f"{name} cannot be read")]
    ):
        archives = tiny_birds()
        archives[archive].pop(name)
        if content:
            archives[archive][name] = content
        (tmp_path / str(number)).mkdir()
        dataset, raw = get(tmp_path / str(number), archives)
        with pytest.raises(BenchmarkError, match=said):
            dataset.load(raw)


def test_a_segmentation_of_another_size_is_refused(tmp_path):
    archives = tiny_birds()
    name = image_name(SPECIES[1], 3)
    archives["CUB_200_2011.tgz"][f"{LISTS}/images/{name}.jpg"] = plain((1, 2, 3), 8, 9)
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=rf"mask segmentations/{name}.png has another size than its image"):
        dataset.load(raw)


def test_an_archive_of_another_layout_is_refused_with_the_file_that_was_expected(tmp_path):
    archives = tiny_birds()
    archives["CUB_200_2011.tgz"] = {
        name.removeprefix(f"{LISTS}/"): content for name, content in archives["CUB_200_2011.tgz"].items()
    }
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"CUB_200_2011/classes.txt is not among the data set's files"):
        dataset.index(raw)
