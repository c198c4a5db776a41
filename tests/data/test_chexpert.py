"""CheXpert from a tiny archive of the small version's layout: each patient's images are of one brightness."""

from collections import Counter

import numpy as np
import pytest
from archives import fetched, packed, png, zipped

from benchmark.data.chexpert import CheXpert
from benchmark.errors import BenchmarkError

HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
LUNG = np.zeros((8, 8), bool)
LUNG[2:6, 1:7] = True

TRAIN = {  # patient: (views, Pleural Effusion); the views are those of one study
    1: (("AP",), "1.0"),
    2: (("PA", ""), "0.0"),
    3: (("AP", "PA"), ""),
    4: (("PA",), "-1.0"),
    5: (("AP",), "1.0"),
    6: (("LL",), "1.0"),
}
VALID = {64541: (("AP",), "1.0"), 64542: (("PA",), "0.0")}


def images(part: str, patients) -> list[tuple[str, int, str, str, str]]:
    """Path below ``train`` or ``valid``, patient, frontal or lateral, AP or PA, and the finding."""
    return [
        (
            f"{part}/patient{patient:05d}/study1/view{k}_{'frontal' if view else 'lateral'}",
            patient,
            "Frontal" if view else "Lateral",
            view,
            value,
        )
        for patient, (views, value) in patients.items()
        for k, view in enumerate(views, 1)
    ]


def table(part: str, patients) -> bytes:
    rows = [
        ",".join([f"CheXpert-v1.0-small/{path}.jpg", "Female", "68", way, view, "1.0", *[""] * 9, value, *[""] * 3])
        for path, _, way, view, value in images(part, patients)
    ]
    assert all(row.count(",") == HEADER.count(",") for row in rows)
    return "\n".join([HEADER, *rows, ""]).encode()


def tiny(train=TRAIN, valid=VALID) -> dict[str, bytes]:
    files = {
        "CheXpert-v1.0-small/train.csv": table("train", train),
        "CheXpert-v1.0-small/valid.csv": table("valid", valid),
    }
    for path, patient, *_ in images("train", train) + images("valid", valid):
        files[f"CheXpert-v1.0-small/{path}.jpg"] = png(np.full((8, 8), patient % 200))
    return files


def masks(files) -> dict[str, bytes]:
    names = [name.removeprefix("CheXpert-v1.0-small/") for name in files if name.endswith(".jpg")]
    return {f"{name.removesuffix('.jpg')}.png": png(LUNG * 255) for name in names}


def get(tmp_path, files=None, drawn=None, **changes):
    files = tiny() if files is None else files
    archives = {"CheXpert-v1.0-small.zip": zipped(files)}
    archives["lung_masks.zip"] = zipped(masks(files) if drawn is None else drawn)
    changes = {"size": 8, "missing_masks": "refuse", "class_order": [], "split": {"val": 0.25, "test": 0}, **changes}
    return fetched(CheXpert, "chexpert", archives, tmp_path, **changes)


def found(dataset, raw) -> dict[str, str]:
    """Image to class."""
    index, names = dataset.index(raw), dataset.classes(raw)
    return {str(name): names[label] for name, label in zip(index.id, index.label, strict=True)}


ONE = "train/patient00001/study1/view1_frontal"
TWO = "train/patient00002/study1/view1_frontal"
THREE = ("train/patient00003/study1/view1_frontal", "train/patient00003/study1/view2_frontal")
FOUR = "train/patient00004/study1/view1_frontal"
FIVE = "train/patient00005/study1/view1_frontal"
TEST = {"valid/patient64541/study1/view1_frontal": "present", "valid/patient64542/study1/view1_frontal": "absent"}


@pytest.mark.parametrize(
    ("uncertain", "silent", "also"),
    [
        ("drop", "absent", dict.fromkeys(THREE, "absent")),
        ("present", "absent", {**dict.fromkeys(THREE, "absent"), FOUR: "present"}),
        ("absent", "absent", {**dict.fromkeys(THREE, "absent"), FOUR: "absent"}),
        ("absent", "drop", {FOUR: "absent"}),
        ("drop", "drop", {}),
    ],
)
def test_uncertain_and_silent_reports_count_as_the_settings_say(tmp_path, uncertain, silent, also):
    dataset, raw = get(tmp_path, uncertain=uncertain, silent=silent)
    assert found(dataset, raw) == {ONE: "present", TWO: "absent", FIVE: "present", **TEST, **also}


def test_patients_are_units_views_are_sources_and_the_radiologists_images_are_the_test(tmp_path):
    dataset, raw = get(tmp_path)
    images = packed(dataset, raw)
    for name, image in images.items():
        part, patient, *_ = name.split("/")
        assert image.unit == patient
        assert (image.split == "test") == (part == "valid")
        assert image.mask_kind == "given"
        assert (image.image == int(patient[7:]) % 200).all()
        assert np.array_equal(image.mask, LUNG)
    assert {str(images[name].source) for name in (ONE, THREE[0])} == {"chexpert_ap"}
    assert {str(images[name].source) for name in (TWO, THREE[1])} == {"chexpert_pa"}
    assert images[THREE[0]].split == images[THREE[1]].split


def test_validation_is_drawn_by_patient(tmp_path):
    patients = {n: (("AP", "PA"), "1.0" if n % 2 else "0.0") for n in range(1, 41)}
    dataset, raw = get(tmp_path, tiny(train=patients))
    index = dataset.index(raw)
    assert Counter(index.split.tolist()) == {"train": 60, "val": 20, "test": 2}
    assert len(set(zip(index.unit.tolist(), index.split.tolist(), strict=True))) == 42


def test_one_view_can_be_kept_alone(tmp_path):
    dataset, raw = get(tmp_path, views=["AP"], split={"val": 0.4, "test": 0}, silent="absent")
    assert set(found(dataset, raw)) == {ONE, THREE[0], FIVE, "valid/patient64541/study1/view1_frontal"}


def test_another_finding_is_read_from_its_own_column(tmp_path):
    dataset, raw = get(tmp_path, finding="No Finding")
    assert set(found(dataset, raw).values()) == {"present"}


def test_an_archive_unpacked_by_a_person_without_its_top_folder_is_the_same(tmp_path):
    files = {name.removeprefix("CheXpert-v1.0-small/"): content for name, content in tiny().items()}
    dataset, raw = get(tmp_path, files, drawn=masks(tiny()))
    assert set(found(dataset, raw)) == {ONE, TWO, *THREE, FIVE, *TEST}


# --- what is refused --------------------------------------------------------------------------------


def test_without_lung_masks_packing_refuses(tmp_path):
    dataset, raw = get(tmp_path, drawn={"readme.txt": b""})
    with pytest.raises(BenchmarkError, match=r"7 of 7 images have no mask"):
        dataset.index(raw)


def test_a_listed_image_that_is_missing_is_named(tmp_path):
    files = tiny()
    del files[f"CheXpert-v1.0-small/{FIVE}.jpg"]
    dataset, raw = get(tmp_path, files, drawn=masks(tiny()))
    with pytest.raises(BenchmarkError, match=rf"1 missing.*{FIVE}.jpg"):
        dataset.index(raw)


def test_a_label_that_means_nothing_is_refused_with_its_line(tmp_path):
    dataset, raw = get(tmp_path, tiny(train={**TRAIN, 5: (("AP",), "2.0")}))
    with pytest.raises(BenchmarkError, match=r"Pleural Effusion in line 8 of .*/train.csv; got '2.0'"):
        dataset.index(raw)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"Pleural Effusion", b"Effusion", r"train.csv lacks a column.*expected also 'Pleural Effusion'"),
        (
            b"CheXpert-v1.0-small/train/patient00001",
            b"CheXpert-v1.0/train/patient00001",
            "Path in line 2 of .*train.csv",
        ),
        (b"train/patient00001", b"train/../../patient00001", "Path in line 2 of .*train.csv"),
        (b"train/patient00001/study1", b"train/patient00001/study1\x00", "Path in line 2|is no CSV"),
        (
            b"\nCheXpert-v1.0-small/train/patient00005",
            b"\nx\nCheXpert-v1.0-small/train/patient00005",
            "line 8 of .*fields",
        ),
    ],
)
def test_a_list_of_another_form_is_refused(tmp_path, old, new, said):
    files = tiny()
    name = "CheXpert-v1.0-small/train.csv"
    assert old in files[name]
    dataset, raw = get(tmp_path, {**files, name: files[name].replace(old, new)})
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


def test_an_archive_of_the_full_version_is_refused_with_the_file_that_was_expected(tmp_path):
    files = {name.replace("-small", ""): content for name, content in tiny().items()}
    dataset, raw = get(tmp_path, files, drawn={})
    with pytest.raises(BenchmarkError, match=r"chexpert/CheXpert-v1.0-small/train.csv is not among.*got 'chexpert"):
        dataset.index(raw)


def test_a_damaged_image_is_named(tmp_path):
    dataset, raw = get(tmp_path, {**tiny(), f"CheXpert-v1.0-small/{ONE}.jpg": b"\xff\xd8\xff"})
    with pytest.raises(BenchmarkError, match=rf"{ONE}.jpg cannot be read"):
        packed(dataset, raw)
