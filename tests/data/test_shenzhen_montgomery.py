"""The two hospitals of the National Library of Medicine, from tiny archives of their layouts."""

import csv
from collections import Counter

import numpy as np
import pytest
from archives import fetched, packed, png, shipped, zipped

from benchmark.data.lungs import in_size
from benchmark.data.shenzhen_montgomery import ShenzhenMontgomery
from benchmark.errors import BenchmarkError
from benchmark.paths import data_root

SHENZHEN = [f"CHNCXR_{n:04d}_{n % 2}" for n in range(1, 21)]
MONTGOMERY = [f"MCUCXR_{n:04d}_{n % 2}" for n in range(1, 11)]
LEFT, RIGHT = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
LEFT[1:5, 5:7] = True
RIGHT[2:6, 1:3] = True


def grey(number: int) -> bytes:
    return png(np.full((8, 8), 100 + number))


def china(names=SHENZHEN) -> dict[str, bytes]:
    files = {f"ChinaSet_AllFiles/CXR_png/{name}.png": grey(int(name[7:11])) for name in names}
    return {**files, "ChinaSet_AllFiles/CXR_png/Thumbs.db": b"", "ChinaSet_AllFiles/ClinicalReadings/x.txt": b"male"}


def maryland(names=MONTGOMERY, left=MONTGOMERY, right=MONTGOMERY) -> dict[str, bytes]:
    masks = "MontgomerySet/ManualMask"
    return {
        **{f"MontgomerySet/CXR_png/{name}.png": grey(50 + int(name[7:11])) for name in names},
        **{f"{masks}/leftMask/{name}.png": png(LEFT * 255) for name in left},
        **{f"{masks}/rightMask/{name}.png": png(RIGHT * 255) for name in right},
    }


def drawn(names=SHENZHEN, mask=RIGHT) -> dict[str, bytes]:
    """The masks of Stirenko et al., in their archive's two folders of one name."""
    return {f"mask/mask/{name}_mask.png": png(mask * 255) for name in names}


def get(tmp_path, shenzhen=None, montgomery=None, masks=None, **changes):
    archives = {
        "ChinaSet_AllFiles.zip": zipped(shenzhen or china()),
        "NLM-MontgomeryCXRSet.zip": zipped(montgomery or maryland()),
        "shcxr-lung-mask.zip": zipped(drawn() if masks is None else masks),
    }
    changes = {"size": 8, "missing_masks": "refuse", **changes}
    return fetched(ShenzhenMontgomery, "shenzhen_montgomery", archives, tmp_path, **changes)


@pytest.mark.parametrize(("home", "away"), [("shenzhen", "montgomery"), ("montgomery", "shenzhen")])
def test_one_hospital_trains_and_the_other_is_the_external_test(tmp_path, home, away):
    dataset, raw = get(tmp_path, train_on=home)
    index = dataset.index(raw)
    assert set(index.source[index.split == "external"]) == {away}
    assert set(index.source[index.split != "external"]) == {home}
    expected = {"shenzhen": {"train": 14, "val": 2, "test": 4}, "montgomery": {"train": 7, "val": 1, "test": 2}}[home]
    assert Counter(index.split.tolist()) == {**expected, "external": 10 if home == "shenzhen" else 20}


def test_class_patient_and_pixels_follow_from_the_name(tmp_path):
    dataset, raw = get(tmp_path)
    assert dataset.classes(raw) == ("normal", "tb")
    images = packed(dataset, raw)
    assert set(images) == {*SHENZHEN, *MONTGOMERY}
    for name, image in images.items():
        hospital, number = ("shenzhen" if name[0] == "C" else "montgomery"), int(name[7:11])
        assert int(image.label) == int(name[-1])
        assert image.unit == f"{hospital}-{number:04d}"
        assert image.mask_kind == "human"
        assert (image.image == 100 + number + 50 * (hospital == "montgomery")).all()


def test_the_mask_of_montgomery_is_both_lungs_and_that_of_shenzhen_the_one_drawn_for_it(tmp_path):
    dataset, raw = get(tmp_path)
    for name, image in packed(dataset, raw).items():
        assert np.array_equal(image.mask, RIGHT if name[0] == "C" else LEFT | RIGHT)


def test_images_of_shenzhen_without_a_drawn_mask_are_left_out_if_that_is_wished(tmp_path):
    dataset, raw = get(tmp_path, masks=drawn(SHENZHEN[:16]), missing_masks="drop")
    index = dataset.index(raw)
    assert sorted(index.id[index.source == "shenzhen"]) == SHENZHEN[:16]
    assert dataset.facts(raw)["dropped_without_mask"] == 4


def test_without_any_mask_of_the_training_hospital_nothing_is_predicted(tmp_path):
    dataset, raw = get(tmp_path, masks={"mask/readme.txt": b""}, missing_masks="predict")
    with pytest.raises(BenchmarkError, match="training units with a mask, to predict the missing ones from; got 0"):
        dataset.index(raw)


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["CHNCXR_0021_2.png", "CHNCXR_21_1.png", "copy of CHNCXR_0001_0.png", "MCUCXR_0001_0.png"]
)
def test_a_name_that_tells_no_class_is_refused(tmp_path, name):
    dataset, raw = get(tmp_path, shenzhen={**china(), f"ChinaSet_AllFiles/CXR_png/{name}": grey(1)})
    with pytest.raises(
        BenchmarkError, match=rf"name of ChinaSet_AllFiles/CXR_png/{name}.*expected CHNCXR_, four digits"
    ):
        dataset.index(raw)


def test_a_hospital_in_another_folder_is_refused_with_the_file_that_was_expected(tmp_path):
    files = {name.replace("MontgomerySet", "Montgomery"): content for name, content in maryland().items()}
    dataset, raw = get(tmp_path, montgomery=files)
    with pytest.raises(BenchmarkError, match=r"MontgomerySet/CXR_png/MCUCXR_0001_0.png is not among"):
        dataset.index(raw)


def test_a_lung_without_its_mask_is_named(tmp_path):
    for part in ("left", "right"):
        where = tmp_path / part
        where.mkdir()
        dataset, raw = get(where, montgomery=maryland(**{part: MONTGOMERY[:-1]}))
        with pytest.raises(BenchmarkError, match=r"MCUCXR_0010_0.png"):
            dataset.index(raw)


def test_lungs_of_two_sizes_and_a_damaged_image_are_named(tmp_path):
    broken = {**maryland(), "MontgomerySet/ManualMask/rightMask/MCUCXR_0002_0.png": png(np.zeros((8, 9)))}
    dataset, raw = get(tmp_path, montgomery=broken, unusable_masks="refuse")
    with pytest.raises(BenchmarkError, match=r"mask MontgomerySet/ManualMask/leftMask/MCUCXR_0002_0.png"):
        packed(dataset, raw)
    other = tmp_path / "other"
    other.mkdir()
    dataset, raw = get(other, shenzhen={**china(), "ChinaSet_AllFiles/CXR_png/CHNCXR_0004_0.png": grey(4)[:50]})
    with pytest.raises(BenchmarkError, match=r"CHNCXR_0004_0.png cannot be read"):
        packed(dataset, raw)


# --- a mask in another resolution than its image ----------------------------------------------------


def test_a_mask_is_enlarged_and_shrunk_to_the_nearest_pixel():
    small = np.array([[True, False], [False, True]])
    large = np.kron(small, np.ones((3, 3), bool))
    assert np.array_equal(in_size(small, "m.png", (6, 6)), large)
    assert np.array_equal(in_size(large, "m.png", (2, 2)), small)
    assert in_size(large, "m.png", (6, 6)) is large


def test_a_mask_of_another_form_is_refused():
    with pytest.raises(
        BenchmarkError, match=r"mask m.png is of another form.*got \(4, 8\); expected the ratio of \(8, 8\)"
    ):
        in_size(np.ones((4, 8), bool), "m.png", (8, 8))


# --- the real names ---------------------------------------------------------------------------------


def test_classes_and_patients_of_all_800_real_images_are_those_of_a_list_made_by_others(tmp_path):
    table = data_root() / "tb" / "index.csv"
    if not table.is_file():
        pytest.skip(f"no list of real images in {table}")
    with table.open(newline="", encoding="utf-8") as stream:
        rows = {row["file"].rpartition("/")[2].removesuffix(".jpg"): row for row in csv.DictReader(stream)}
    for name, row in rows.items():
        home = "ChinaSet_AllFiles" if row["source"] == "shenzhen" else "MontgomerySet"
        files = [f"{home}/CXR_png/{name}.png"]
        if home == "MontgomerySet":
            files += [f"{home}/ManualMask/{side}Mask/{name}.png" for side in ("left", "right")]
        elif row["mask_kind"] == "human":
            files.append(f"shenzhen_masks/mask/mask/{name}_mask.png")
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    dataset = shipped(ShenzhenMontgomery, "shenzhen_montgomery", "http://127.0.0.1")
    records = {record.id: record for record in dataset.records(tmp_path)}
    assert records.keys() == rows.keys()
    assert Counter((record.source, record.label, record.mask_kind) for record in records.values()) == Counter(
        (row["source"], row["label"], "human" if row["mask_kind"] == "human" else "") for row in rows.values()
    )
    assert all(records[name].label == row["label"] for name, row in rows.items())
    pairs = {(records[name].unit, row["patient"]) for name, row in rows.items()}
    assert len(pairs) == len({unit for unit, _ in pairs}) == len({patient for _, patient in pairs})
