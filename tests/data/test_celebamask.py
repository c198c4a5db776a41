"""CelebAMask-HQ from a tiny archive of its layout: faces of 8 x 8 with part masks of 4 x 4."""

import numpy as np
import pytest
from archives import fetched, packed, plain, png, shipped, zipped

from benchmark.data.celebamask import CelebAMask
from benchmark.errors import BenchmarkError

ROOT = "CelebAMask-HQ"
ATTRIBUTES, MAPPING = f"{ROOT}/CelebAMask-HQ-attribute-anno.txt", f"{ROOT}/CelebA-HQ-to-CelebA-mapping.txt"
NAMES = ["Male", "Rosy_Cheeks", "Smiling"]
FACES = {  # number here: number in CelebA, person, attributes
    0: (119614, 7, (1, -1, 1)),
    1: (99095, 8, (1, 1, -1)),
    2: (162770, 7, (-1, -1, 1)),
    3: (162771, 9, (-1, 1, -1)),
    4: (182637, 10, (1, 1, 1)),
    5: (182638, 11, (1, 1, -1)),
    1999: (202599, 12, (1, -1, 1)),
    2000: (1, 13, (-1, -1, -1)),
}


def part(row: int, column: int) -> bytes:
    """A mask of 4 x 4, in colour as the real ones are, with one pixel."""
    mask = np.zeros((4, 4, 3), np.uint8)
    mask[row, column] = 255
    return png(mask)


def tiny() -> dict[str, bytes]:
    files = {
        ATTRIBUTES: f"{len(FACES)}\n{' '.join(NAMES)}\n"
        + "".join(f"{n}.jpg  {' '.join(map(str, values))}\n" for n, (_, _, values) in FACES.items()),
        MAPPING: "idx     orig_idx    orig_file\n"
        + "".join(f"{n:<8}{face - 1:<12}{face:06d}.jpg\n" for n, (face, _, _) in FACES.items()),
    }
    archive = {name: text.encode() for name, text in files.items()}
    for n in FACES:
        start = f"{ROOT}/CelebAMask-HQ-mask-anno/{n // 2000}/{n:05d}"
        archive[f"{ROOT}/CelebA-HQ-img/{n}.jpg"] = plain((n % 256, 5, 6))
        archive[f"{start}_skin.png"] = part(1, 1)
        archive[f"{start}_hair.png"] = part(0, 1)
        archive[f"{start}_cloth.png"] = part(3, 3)
        if n != 1:  # her glasses hide no eye
            archive[f"{start}_eye_g.png"] = part(1, 2)
    return archive


def people(faces=FACES) -> bytes:
    return "".join(f"{face:06d}.jpg {person}\n" for face, person, _ in faces.values()).encode()


def get(tmp_path, archive, identities=None, **changes):
    """The data set as its user would have put it there, unpacked by the real fetch."""
    content = {"CelebAMask-HQ.zip": zipped(archive)}
    if identities:
        content["identity_CelebA.txt"] = identities
    return fetched(CelebAMask, "celebamask", content, tmp_path, **{"size": 8, **changes})


def at(*places) -> np.ndarray:
    """The mask that has these pixels of a 4 x 4 mask, each four times as large."""
    small = np.zeros((4, 4), np.uint8)
    for place in places:
        small[place] = 1
    return small.repeat(2, axis=0).repeat(2, axis=1)


def test_the_class_is_the_attribute_and_the_split_celeba_s(tmp_path):
    dataset, raw = get(tmp_path, tiny())
    images = packed(dataset, raw)
    assert dataset.classes(raw) == ("not_smiling", "smiling")
    assert {name: int(image.label) for name, image in images.items()} == {
        "face_00000": 1,
        "face_00001": 0,
        "face_00002": 1,
        "face_00003": 0,
        "face_00004": 1,
        "face_00005": 0,
        "face_01999": 1,
        "face_02000": 0,
    }
    assert {name: str(image.split) for name, image in images.items() if image.split != "train"} == {
        "face_00003": "val",
        "face_00004": "val",
        "face_00005": "test",
        "face_01999": "test",
    }
    assert all(image.unit == image.id and image.mask_kind == "human" for image in images.values())
    assert images["face_02000"].image[0, 0].tolist() == [2000 % 256, 5, 6]
    assert dataset.facts(raw)["unit"] == "image"


def test_another_attribute_gives_other_classes(tmp_path):
    dataset, raw = get(tmp_path, tiny(), attribute="Rosy_Cheeks")
    index = dataset.index(raw)
    assert dataset.classes(raw) == ("not_rosy_cheeks", "rosy_cheeks")
    assert index.label.tolist() == [0, 1, 0, 1, 1, 1, 0, 0]


def test_the_foreground_is_the_union_of_the_parts_that_an_image_has(tmp_path):
    dataset, raw = get(tmp_path, tiny())
    for name, image in packed(dataset, raw).items():
        glasses = () if name == "face_00001" else ((1, 2),)
        assert np.array_equal(image.mask, at((1, 1), (0, 1), *glasses))


def test_the_parts_are_a_setting(tmp_path):
    dataset, raw = get(tmp_path, tiny(), parts=["cloth", "hat"])
    assert all(np.array_equal(image.mask, at((3, 3))) for image in packed(dataset, raw).values())


def test_an_image_without_any_of_the_parts_has_no_mask(tmp_path):
    dataset, raw = get(tmp_path, tiny(), parts=["eye_g"])
    with pytest.raises(BenchmarkError, match=r"1 of 8 images have no mask; got 'CelebAMask-HQ/CelebA-HQ-img/1.jpg'"):
        dataset.index(raw)
    (tmp_path / "drop").mkdir()
    dataset, raw = get(tmp_path / "drop", tiny(), parts=["eye_g"], missing_masks="drop")
    assert len(dataset.index(raw)) == 7


def test_with_the_list_of_identities_the_person_is_the_unit(tmp_path):
    dataset, raw = get(tmp_path, tiny(), people())
    index = dataset.index(raw)
    units = dict(zip(index.id.tolist(), index.unit.tolist(), strict=True))
    assert units["face_00000"] == units["face_00002"] == "person_7"
    assert len(set(units.values())) == 7
    assert dataset.facts(raw)["unit"] == "person"


def test_a_person_in_two_official_splits_is_refused(tmp_path):
    faces = {**FACES, 5: (182638, 7, FACES[5][2])}
    dataset, raw = get(tmp_path, tiny(), people(faces))
    with pytest.raises(BenchmarkError, match=r"unit 'person_7' is in two splits"):
        dataset.index(raw)


def test_drawn_splits_keep_a_person_together_and_need_no_mapping(tmp_path):
    archive = tiny()
    dataset, raw = get(tmp_path, archive, people(), splits="draw", split={"val": 0.25, "test": 0.25, "seed": 3})
    index = dataset.index(raw)
    assert len({(unit, split) for unit, split in zip(index.unit.tolist(), index.split.tolist(), strict=True)}) == 7
    assert set(index.split.tolist()) == {"train", "val", "test"}
    del archive[MAPPING]
    (tmp_path / "bare").mkdir()
    dataset, raw = get(tmp_path / "bare", archive, splits="draw", split={"val": 0.25, "test": 0.25})
    assert set(dataset.index(raw).split.tolist()) == {"train", "val", "test"}


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"parts": ["skin", "nostril"]}, {"attribute": "Smilling"}])
def test_a_part_or_attribute_that_is_none_is_refused(tmp_path, changes):
    dataset, raw = get(tmp_path, tiny(), **changes)
    with pytest.raises(BenchmarkError, match=r"unknown (part of a face; got 'nostril'|attribute; got 'Smilling')"):
        dataset.index(raw)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (ATTRIBUTES, "\n3.jpg  -1 1 -1\n", "\n3.jpg  -1 1\n", r"line 6 of .*expected a file and 3 of 1 or -1"),
        (ATTRIBUTES, "\n3.jpg  -1 1 -1\n", "\n3.jpg  -1 1 0\n", r"line 6 of .*; got '3.jpg  -1 1 0'"),
        (ATTRIBUTES, "\n3.jpg  -1 1 -1\n", "\nthree.jpg  -1 1 -1\n", r"image in line 6 of .*got 'three'"),
        (ATTRIBUTES, "\n3.jpg  -1 1 -1\n", "\n", r"got 7; expected 8, as its line 1 says"),
        (MAPPING, "162771.jpg", "262771.jpg", r"image of CelebA in .*got '262771'.*from 1 to 202599"),
        (MAPPING, "162771.jpg", "", r"line 5 of .*expected 3 fields"),
        (MAPPING, "\n3   ", "\n33  ", r"image 3 is not in CelebAMask-HQ/CelebA-HQ-to-CelebA-mapping.txt"),
    ],
)
def test_a_line_that_breaks_the_form_of_a_list_is_named(tmp_path, name, old, new, said):
    archive = tiny()
    text = archive[name].decode()
    assert text.count(old) == 1
    archive[name] = text.replace(old, new).encode()
    dataset, raw = get(tmp_path, archive)
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


def test_a_face_without_identity_is_named(tmp_path):
    dataset, raw = get(tmp_path, tiny(), people({n: face for n, face in FACES.items() if n != 4}))
    with pytest.raises(BenchmarkError, match=r"image 4 is not in identity_CelebA.txt; got '182637.jpg'"):
        dataset.index(raw)


def test_a_listed_image_that_is_missing_is_named(tmp_path):
    archive = tiny()
    del archive[f"{ROOT}/CelebA-HQ-img/3.jpg"]
    dataset, raw = get(tmp_path, archive)
    with pytest.raises(BenchmarkError, match=r"1 missing .*got 'CelebAMask-HQ/CelebA-HQ-img/3.jpg'"):
        dataset.index(raw)


@pytest.mark.parametrize("name", ["CelebA-HQ-img/3.jpg", "CelebAMask-HQ-mask-anno/0/00003_skin.png"])
def test_a_file_that_is_cut_short_is_named(tmp_path, name):
    archive = tiny()
    archive[f"{ROOT}/{name}"] = archive[f"{ROOT}/{name}"][:45]
    dataset, raw = get(tmp_path, archive)
    with pytest.raises(BenchmarkError, match=rf"image {ROOT}/{name} cannot be read"):
        dataset.load(raw)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("CelebA-HQ-to-CelebA-mapping.txt", f"{MAPPING} is not among the data set's files"),
        ("CelebAMask-HQ-attribute-anno.txt", f"{ATTRIBUTES} is not among the data set's files"),
        ("CelebAMask-HQ-mask-anno", "CelebAMask-HQ/CelebAMask-HQ-mask-anno is not among the data set's files"),
    ],
)
def test_an_archive_of_another_layout_is_refused_with_the_file_that_was_expected(tmp_path, gone, said):
    archive = {name: content for name, content in tiny().items() if gone not in name}
    dataset, raw = get(tmp_path, archive)
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


def test_at_least_one_part_is_needed():
    with pytest.raises(BenchmarkError, match="parts"):
        shipped(CelebAMask, "celebamask", "http://127.0.0.1", parts=[])
