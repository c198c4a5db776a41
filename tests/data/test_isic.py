"""ISIC 2016 and PH2 from tiny archives of their layouts: each image is of one colour, each mask a known rectangle."""

import io
from collections import Counter

import numpy as np
import pytest
from archives import fetched, packed, plain, png, zipped
from PIL import Image

from benchmark.data.isic import ISIC
from benchmark.errors import BenchmarkError

TRAINED = {f"ISIC_{n:07d}": "malignant" if n % 5 == 0 else "benign" for n in range(20)}
TESTED = {"ISIC_0000100": "0.0", "ISIC_0000101": "1.0", "ISIC_0000102": "0.0"}
PH2 = {"IMD003": "0", "IMD009": "1", "IMD058": "2"}
HEADER = (
    "||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network | Dots/Globules | "
    "Streaks | Regression Areas | Blue-Whitish Veil ||           Colors ||"
)
LEGEND = "\nLegends: \nClinical Diagnosis:\n\t0 - Common Nevus; 1 - Atypical Nevus; 2 - Melanoma.\n"


def lesion(number: int):
    """Rows 1 and 2, and columns from 1 to one more than the number modulo 5."""
    mask = np.zeros((8, 8), bool)
    mask[1:3, 1 : 3 + number % 5] = True
    return mask


def bmp(pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "BMP")
    return out.getvalue()


def part(name: str, images) -> dict[str, bytes]:
    """The two archives of part 1."""
    data = {f"ISBI2016_ISIC_Part1_{name}_Data/{i}.jpg": plain((int(i[-3:]), 0, 9)) for i in images}
    masks = {
        f"ISBI2016_ISIC_Part1_{name}_GroundTruth/{i}_Segmentation.png": png(lesion(int(i[-3:])) * 255) for i in images
    }
    return {
        f"ISBI2016_ISIC_Part1_{name}_Data.zip": zipped(data),
        f"ISBI2016_ISIC_Part1_{name}_GroundTruth.zip": zipped(masks),
    }


def ph2(rows=PH2) -> dict[str, bytes]:
    home = "PH2Dataset/PH2 Dataset images"
    lines = [
        f"|| {name} ||              ||                  {code} ||  0 | T | A | A | A | A || 4 ||"
        for name, code in rows.items()
    ]
    files = {"PH2Dataset/PH2_dataset.txt": "\n".join([HEADER, *lines, LEGEND]).encode()}
    for name in PH2:
        number = int(name[3:])
        files[f"{home}/{name}/{name}_Dermoscopic_Image/{name}.bmp"] = bmp(np.full((8, 8, 3), number, np.uint8))
        files[f"{home}/{name}/{name}_lesion/{name}_lesion.bmp"] = bmp(lesion(number))  # one bit a pixel, as published
    return files


def tiny(trained=TRAINED, tested=TESTED) -> dict[str, bytes]:
    lists = {"Training": trained, "Test": tested}
    return {
        **part("Training", trained),
        **part("Test", tested),
        **{
            f"ISBI2016_ISIC_Part3_{name}_GroundTruth.csv": "".join(f"{i},{d}\n" for i, d in rows.items()).encode()
            for name, rows in lists.items()
        },
    }


def get(tmp_path, archives=None, external=None):
    archives = {**(archives or tiny()), **({"PH2Dataset.zip": zipped(external)} if external else {})}
    return fetched(ISIC, "isic", archives, tmp_path, size=8)


def test_labels_splits_pixels_and_masks_of_the_challenge(tmp_path):
    dataset, raw = get(tmp_path)
    images = packed(dataset, raw)
    assert Counter(str(image.split) for image in images.values()) == {"train": 18, "val": 2, "test": 3}
    assert dataset.classes(raw) == ("benign", "malignant")
    known = {**TRAINED, "ISIC_0000100": "benign", "ISIC_0000101": "malignant", "ISIC_0000102": "benign"}
    assert set(images) == set(known)
    for name, image in images.items():
        number = int(name[-3:])
        assert dataset.classes(raw)[int(image.label)] == known[name]
        assert (image.split == "test") == (number >= 100)
        assert image.image[0, 0].tolist() == [number, 0, 9]
        assert np.array_equal(image.mask, lesion(number))
        assert (image.source, image.unit, image.mask_kind) == ("isic", name, "human")


def test_ph2_is_the_external_test_where_it_is_there_and_its_melanomas_are_malignant(tmp_path):
    dataset, raw = get(tmp_path, external=ph2())
    images = packed(dataset, raw)
    outside = {name: image for name, image in images.items() if image.split == "external"}
    assert {name: dataset.classes(raw)[int(image.label)] for name, image in outside.items()} == {
        "IMD003": "benign",
        "IMD009": "benign",
        "IMD058": "malignant",
    }
    for name, image in outside.items():
        assert image.source == "ph2"
        assert image.image[4, 4].tolist() == [int(name[3:])] * 3
        assert np.array_equal(image.mask, lesion(int(name[3:])))
    assert len(images) == 26


def test_ph2_unpacked_by_a_person_without_its_top_folder_is_the_same(tmp_path):
    dataset, raw = get(
        tmp_path, external={name.removeprefix("PH2Dataset/"): content for name, content in ph2().items()}
    )
    index = dataset.index(raw)
    assert index.id[index.split == "external"].tolist() == ["IMD003", "IMD009", "IMD058"]


# --- what is refused --------------------------------------------------------------------------------


def test_a_listed_image_that_is_missing_is_named(tmp_path):
    archives = {**tiny(), **part("Training", list(TRAINED)[:-1])}
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"2 missing.*Training_Data/ISIC_0000019.jpg"):
        dataset.index(raw)


def test_an_unexpected_diagnosis_is_refused_with_its_line(tmp_path):
    dataset, raw = get(tmp_path, tiny(trained={**TRAINED, "ISIC_0000003": "unsure"}))
    with pytest.raises(BenchmarkError, match=r"diagnosis in line 4 of ISBI2016_ISIC_Part3_Training.*got 'unsure'"):
        dataset.index(raw)


def test_a_list_with_another_number_of_columns_is_refused(tmp_path):
    for text in (b"ISIC_0000000,benign,1\n", b"ISIC_0000000\n"):
        where = tmp_path / str(len(text))
        where.mkdir()
        dataset, raw = get(where, {**tiny(), "ISBI2016_ISIC_Part3_Training_GroundTruth.csv": text})
        with pytest.raises(BenchmarkError, match=r"line 1 of ISBI2016_ISIC_Part3_Training.*expected 2 fields"):
            dataset.index(raw)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (ph2({"IMD003": "3"}), "clinical diagnosis of IMD003 in line 2 of PH2_dataset.txt; got '3'"),
        (ph2({}), "PH2_dataset.txt has no rows"),
        ({"PH2Dataset/readme.txt": b""}, "ph2/PH2Dataset/PH2_dataset.txt is not among the data set's files"),
        (ph2({**PH2, "IMD999": "2"}), "2 missing.*IMD999/IMD999_Dermoscopic_Image/IMD999.bmp"),
    ],
)
def test_ph2_of_another_form_is_refused(tmp_path, files, said):
    dataset, raw = get(tmp_path, external=files)
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


def test_a_damaged_mask_is_named(tmp_path):
    archives = tiny()
    name = "ISBI2016_ISIC_Part1_Test_GroundTruth"
    files = {f"{name}/{i}_Segmentation.png": png(lesion(0) * 255) for i in TESTED}
    files[f"{name}/ISIC_0000101_Segmentation.png"] = b"\x89PNG broken"
    dataset, raw = get(tmp_path, {**archives, f"{name}.zip": zipped(files)})
    with pytest.raises(BenchmarkError, match=rf"image {name}/ISIC_0000101_Segmentation.png cannot be read"):
        packed(dataset, raw)
