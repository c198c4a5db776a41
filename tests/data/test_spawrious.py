"""Spawrious from tiny archives of its layout: five images of each breed and place, each telling where it lies."""

from collections import Counter

import numpy as np
import pytest
from archives import fetched, packed, plain, png, tar, zipped

from benchmark.data.spawrious import BREEDS, PLACES, Part, Spawrious, parts
from benchmark.errors import BenchmarkError

IMAGES = 5
LEFT = np.zeros((8, 8), bool)
LEFT[:, :3] = True

OFFICIAL = {  # breed: (places of training, places of the test), from the tables of the paper's loader
    "o2o_easy": {
        "bulldog": ("desert", "dirt"),
        "dachshund": ("jungle", "snow"),
        "labrador": ("dirt", "desert"),
        "corgi": ("snow", "jungle"),
    },
    "o2o_medium": {
        "bulldog": ("mountain", "jungle"),
        "dachshund": ("beach", "dirt"),
        "labrador": ("dirt", "beach"),
        "corgi": ("jungle", "snow"),
    },
    "o2o_hard": {
        "bulldog": ("jungle", "mountain"),
        "dachshund": ("mountain", "snow"),
        "labrador": ("snow", "desert"),
        "corgi": ("desert", "jungle"),
    },
}
COMMON = {"o2o_easy": "beach", "o2o_medium": "desert", "o2o_hard": "beach"}


def everything(images: int = IMAGES) -> dict[str, bytes]:
    """Both groups, all places and breeds: red is the group, green the place, blue the breed."""
    return {
        f"spawrious224/{group}/{place}/{breed}/{place}_{breed}_{n:03d}.png": picture
        for group in (0, 1)
        for red, place in enumerate(PLACES)
        for blue, breed in enumerate(BREEDS)
        for picture in [plain((group, red, blue))]
        for n in range(images)
    }


def masks(files, every: int = 1) -> bytes:
    """Masks that cover the three columns at the left, for each so many-th image."""
    names = [name.removeprefix("spawrious224/") for name in files][::every]
    return zipped(dict.fromkeys(names, png(LEFT * 255)))


def get(tmp_path, challenge: str, files=None, with_masks: int = 1, **changes):
    files = everything() if files is None else files
    archives = {"spawrious224__o2o_hard.tar.gz": tar(files)}
    if with_masks:
        archives["masks.zip"] = masks(files, with_masks)
    changes = {"size": 8, "images": IMAGES, "missing_masks": "refuse", **changes}
    return fetched(Spawrious, "spawrious", archives, tmp_path, challenge=challenge, **changes)


def counts(dataset, raw, external: bool) -> Counter:
    """Images of each breed in each place and group."""
    index, names = dataset.index(raw), dataset.classes(raw)
    rows = np.flatnonzero((index.split == "external") == external)
    return Counter((names[index.label[row]], str(index.source[row]), str(index.id[row])[0]) for row in rows)


@pytest.mark.parametrize("challenge", list(OFFICIAL))
def test_one_to_one_trains_97_and_87_percent_at_a_breeds_own_place_and_tests_at_anothers(challenge):
    expected = set()
    for breed, (own, other) in OFFICIAL[challenge].items():
        for group, share in ((0, 3072), (1, 2756)):  # of 3,168: 3,072.96 and 2,756.16
            expected.add(Part(group, own, breed, "", share))
            expected.add(Part(group, COMMON[challenge], breed, "", 3168 - share))
            expected.add(Part(group, other, breed, "external", None))
    assert set(parts(challenge, 3168)) == expected


def test_the_images_of_a_challenge_are_those_of_its_parts(tmp_path):
    dataset, raw = get(tmp_path, "o2o_hard")
    trained, tested = {}, {}
    for breed, (own, other) in OFFICIAL["o2o_hard"].items():
        for group in "01":
            trained[breed, own, group] = 4  # of 5: 4.85 and 4.35
            trained[breed, "beach", group] = 1
            tested[breed, other, group] = 5
    assert counts(dataset, raw, external=False) == trained
    assert counts(dataset, raw, external=True) == tested


def test_many_to_many_trains_two_breeds_at_two_places_and_tests_them_at_two_others(tmp_path):
    dataset, raw = get(tmp_path, "m2m_hard")
    at = {"bulldog": ("dirt", "jungle"), "dachshund": ("dirt", "jungle")}
    at |= {"labrador": ("snow", "beach"), "corgi": ("snow", "beach")}
    tested = {breed: at["labrador" if breed in ("bulldog", "dachshund") else "bulldog"] for breed in at}
    assert counts(dataset, raw, external=False) == {(b, p, "0"): 5 for b in at for p in at[b]}
    assert counts(dataset, raw, external=True) == {(b, p, "0"): 5 for b in at for p in tested[b]}


def test_all_takes_every_breed_in_every_place_and_shares_it_out(tmp_path):
    dataset, raw = get(tmp_path, "all")
    assert counts(dataset, raw, external=False) == {(b, p, "0"): 5 for b in BREEDS for p in PLACES}
    assert Counter(dataset.index(raw).split.tolist()) == {"train": 84, "val": 12, "test": 24}


def test_pixels_labels_and_masks_are_those_of_the_named_file(tmp_path):
    dataset, raw = get(tmp_path, "m2m_easy", everything(2), images=2)
    images = packed(dataset, raw)
    assert len(images) == 4 * 4 * 2
    for name, image in images.items():
        group, place, breed, _ = name.split("/")
        assert image.image[5, 5].tolist() == [int(group), PLACES.index(place), BREEDS.index(breed)]
        assert dataset.classes(raw)[int(image.label)] == breed
        assert (image.source, image.unit, image.mask_kind) == (place, name, "given")
        assert np.array_equal(image.mask, LEFT)


def test_the_first_images_by_name_are_taken(tmp_path):
    dataset, raw = get(tmp_path, "o2o_easy", everything(7), images=5)
    names = [str(name) for name in dataset.index(raw).id]
    own = sorted(name for name in names if name.startswith("0/desert/bulldog"))
    assert own == [f"0/desert/bulldog/desert_bulldog_{n:03d}" for n in range(4)]  # 97 % of 5


def test_the_training_images_are_shared_out_and_the_official_test_is_external(tmp_path):
    dataset, raw = get(tmp_path, "m2m_hard")
    index = dataset.index(raw)
    assert Counter(index.split.tolist()) == {"train": 28, "val": 4, "test": 8, "external": 40}
    inside = index.take(index.split != "external")
    places = {(int(label), str(place)) for label, place in zip(inside.label, inside.source, strict=True)}
    outside = index.take(index.split == "external")
    assert not places & {(int(label), str(p)) for label, p in zip(outside.label, outside.source, strict=True)}


# --- what is refused --------------------------------------------------------------------------------


def test_without_masks_packing_refuses_and_says_what_to_do(tmp_path):
    dataset, raw = get(tmp_path, "m2m_hard", with_masks=0)
    with pytest.raises(BenchmarkError, match=r"80 of 80 images have no mask.*Draw them, or set missing_masks"):
        dataset.index(raw)


def test_images_without_a_mask_can_be_left_out_and_counted(tmp_path):
    dataset, raw = get(tmp_path, "m2m_hard", with_masks=2, missing_masks="drop")
    assert len(dataset.index(raw)) == 40
    assert dataset.facts(raw)["dropped_without_mask"] == 40


def test_an_archive_of_another_challenge_is_refused_with_the_folder_that_was_expected(tmp_path):
    files = {name: content for name, content in everything(2).items() if "/jungle/bulldog/" not in name}
    dataset, raw = get(tmp_path, "o2o_hard", files, images=2)
    with pytest.raises(BenchmarkError, match=r"spawrious224/0/jungle/bulldog is not among"):
        dataset.index(raw)


def test_too_few_images_in_a_folder_are_refused(tmp_path):
    dataset, raw = get(tmp_path, "o2o_hard", everything(2), images=100)
    with pytest.raises(BenchmarkError, match=r"images in spawrious224/0/jungle/bulldog; got 2; expected 97 or more"):
        dataset.index(raw)


def test_a_damaged_image_is_named(tmp_path):
    name = "spawrious224/0/dirt/bulldog/dirt_bulldog_001.png"
    dataset, raw = get(tmp_path, "m2m_hard", {**everything(2), name: b"not a picture"}, images=2)
    with pytest.raises(BenchmarkError, match=f"image {name} cannot be read"):
        packed(dataset, raw)
