"""COVID-19 X-rays from tiny archives of the layouts of all five publishers."""

import csv
import io
from collections import Counter

import numpy as np
import pytest
from archives import fetched, packed, png, zipped
from test_shenzhen_montgomery import LEFT, MONTGOMERY, RIGHT, SHENZHEN, china, drawn, maryland

from benchmark.data.covid_cxr import CovidCXR
from benchmark.errors import BenchmarkError

DATABASE = "COVID-19_Radiography_Dataset"
BIMCV = "https://bimcv.cipf.es/bimcv-projects/bimcv-covid19/#1590858128006-9e640421-6711"
RSNA = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data"
KERMANY = "https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia"
SIRM = "https://sirm.org/category/senza-categoria/covid-19/"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SMALL = np.zeros((6, 6), bool)  # masks of the database are smaller than its images, 256 to 299
SMALL[1:3, 1:3] = True
LARGE = np.zeros((12, 12), bool)
LARGE[2:6, 2:6] = True
COLUMNS = ("patientid", "finding", "view", "modality", "location", "folder", "filename", "doi", "url", "clinical_notes")


def picture(number: int, side: int = 12) -> bytes:
    """An image of noise of its own, as two patients differ."""
    return png(np.random.default_rng(number).integers(0, 256, (side, side)))


def sheet(rows) -> bytes:
    """A workbook with the publisher's columns."""
    cells = [("FILE NAME", "FORMAT", "SIZE", "URL"), *((name, "PNG", "256*256", url) for name, url in rows)]
    lines = "".join(
        f'<row r="{r}">'
        + "".join(f'<c r="{"ABCD"[k]}{r}" t="inlineStr"><is><t>{text}</t></is></c>' for k, text in enumerate(row))
        + "</row>"
        for r, row in enumerate(cells, 1)
    )
    return zipped(
        {"xl/worksheets/sheet1.xml": f"<worksheet {MAIN}><sheetData>{lines}</sheetData></worksheet>".encode()}
    )


def database(covid: int = 10, normal: int = 20, same=()) -> dict[str, bytes]:
    """COVID-1 and Normal-1 are from elsewhere, the others from BIMCV and RSNA; ``same`` images show one picture."""
    files = {
        f"{DATABASE}/COVID.metadata.xlsx": sheet(
            [(f"COVID-{n}", BIMCV if n > 1 else SIRM) for n in range(1, covid + 2)]
        ),
        f"{DATABASE}/Normal.metadata.xlsx": sheet(
            [(f"NORMAL-{n}", RSNA if n > 1 else KERMANY) for n in range(1, normal + 2)]
        ),
    }
    for kind, count, start in (("COVID", covid, 0), ("Normal", normal, 1000)):
        for n in range(1, count + 2):
            shown = same[0] if kind == "COVID" and n in same else n
            files[f"{DATABASE}/{kind}/images/{kind}-{n}.png"] = picture(start + shown)
            files[f"{DATABASE}/{kind}/masks/{kind}-{n}.png"] = png(np.repeat(SMALL[..., None] * 255, 3, axis=2))
    return files


COVID = "Pneumonia/Viral/COVID-19"
COHEN = [  # patient, finding, view, modality, location, folder, file, doi, url
    ("2", COVID, "PA", "X-ray", "Vietnam", "images", "a.jpeg", "", ""),
    ("2", COVID, "AP Supine", "X-ray", "Vietnam", "images", "b.png", "", ""),
    ("318", "No Finding", "AP", "X-ray", "", "images", "c.jpg", "", ""),
    ("4", COVID, "L", "X-ray", "", "images", "lateral.jpg", "", ""),
    ("5", "Pneumonia/Viral/SARS", "PA", "X-ray", "", "images", "sars.jpg", "", ""),
    ("6", COVID, "Axial", "CT", "", "volumes", "ct.nii.gz", "", ""),
    ("7", COVID, "PA", "X-ray", "Hannover Medical School, Hannover, Germany", "images", "h.png", "", ""),
    (
        "8",
        COVID,
        "PA",
        "X-ray",
        "",
        "images",
        "h2.png",
        "",
        "https://github.com/ml-workgroup/covid-19-image-repository/x",
    ),
    ("9", COVID, "PA", "X-ray", "", "images", "h3.png", "10.6084/m9.figshare.12275009", ""),
]


def collection(rows=tuple(COHEN)) -> dict[str, bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([*row, 'notes, "quoted",\nand on two lines'] for row in rows)
    root = "covid-chestxray-dataset-master"
    files = {f"{root}/metadata.csv": text.getvalue().encode()}
    files |= {f"{root}/images/{row[6]}": picture(2000 + n) for n, row in enumerate(rows)}
    files[f"{root}/annotations/lungVAE-masks/a_mask.png"] = png(LARGE * 255)
    files[f"{root}/annotations/lungVAE-masks/c_mask.png"] = png(LARGE * 255)
    return files


def repository() -> dict[str, bytes]:
    rows = [("042f06a9", "b343e657", "ap"), ("042f06a9", "c9280a30", "pa"), ("1c642000", "f6575117", "lateral")]
    text = "patient_id,image_id,sex,modality,projection\n" + "".join(f"{p},{i},m,CR,{v}\n" for p, i, v in rows)
    root = "covid-19-image-repository-master"
    return {
        f"{root}/data.csv": text.encode(),
        **{f"{root}/png/{i}.png": picture(3000 + n) for n, (_, i, _) in enumerate(rows)},
    }


def get(tmp_path, mixed=None, cohen=None, **changes):
    archives = {
        "covid19-radiography-database.zip": zipped(mixed or database()),
        "covid-chestxray-dataset-master.zip": zipped(cohen or collection()),
        "covid-19-image-repository-master.zip": zipped(repository()),
        "ChinaSet_AllFiles.zip": zipped(china()),
        "NLM-MontgomeryCXRSet.zip": zipped(maryland()),
        "shcxr-lung-mask.zip": zipped(drawn()),
    }
    changes = {"size": 24, "missing_masks": "drop", **changes}
    return fetched(CovidCXR, "covid_cxr", archives, tmp_path, **changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return get(tmp_path_factory.mktemp("covid"))


def test_the_mixed_set_has_as_many_images_of_bimcv_as_of_rsna_and_class_is_hospital(whole):
    dataset, raw = whole
    index = dataset.index(raw)
    assert dataset.classes(raw) == ("normal", "covid")
    inside = index.take(index.split != "external")
    pairs = zip(inside.source.tolist(), inside.label.tolist(), inside.split.tolist(), strict=True)
    expected = {"train": 7, "val": 1, "test": 2}
    assert Counter(pairs) == {
        **{("bimcv", 1, split): count for split, count in expected.items()},
        **{("rsna", 0, split): count for split, count in expected.items()},
    }


def test_other_hospitals_are_external_and_so_only_frontal_images_of_the_two_classes(whole):
    dataset, raw = whole
    index = dataset.index(raw)
    outside = index.take(index.split == "external")
    found = {source: set(outside.id[outside.source == source]) for source in set(outside.source.tolist())}
    assert found == {  # Cohen's b.png and Hannover's images have no mask
        "cohen": {"cohen-a.jpeg", "cohen-c.jpg"},
        "shenzhen": {name for name in SHENZHEN if name.endswith("_0")},
        "montgomery": {name for name in MONTGOMERY if name.endswith("_0")},
    }
    labels = dict(zip(outside.id.tolist(), outside.label.tolist(), strict=True))
    assert (labels["cohen-a.jpeg"], labels["cohen-c.jpg"], labels[SHENZHEN[1]]) == (1, 0, 0)
    assert dataset.facts(raw)["dropped_without_mask"] == 3


def test_records_without_masks_are_there_too_each_with_its_patient(whole):
    dataset, raw = whole
    records = {record.id: record for record in dataset.records(raw)}
    hannover = [record for record in records.values() if record.source == "hannover"]
    assert {(record.id, record.unit, record.label, record.split) for record in hannover} == {
        ("hannover-b343e657", "hannover-042f06a9", "covid", "external"),
        ("hannover-c9280a30", "hannover-042f06a9", "covid", "external"),
    }
    assert {records[f"cohen-{name}"].unit for name in ("a.jpeg", "b.png")} == {"cohen-2"}


def test_masks_are_those_of_each_publisher_in_the_size_of_the_image(whole):
    dataset, raw = whole
    kinds = {"bimcv": "given", "rsna": "given", "cohen": "predicted", "shenzhen": "human", "montgomery": "human"}
    stretched = {"shenzhen": RIGHT, "montgomery": LEFT | RIGHT}
    for image in packed(dataset, raw).values():
        source = str(image.source)
        assert image.mask_kind == kinds[source]
        mask = stretched.get(source, LARGE)  # of 8 x 8 or 12 x 12, in a pack of 24 x 24
        assert np.array_equal(image.mask, np.kron(mask, np.ones((24 // len(mask),) * 2, bool)))


def test_all_images_of_the_larger_class_can_be_kept(tmp_path):
    dataset, raw = get(tmp_path, balanced=False, externals=[])
    assert Counter(dataset.index(raw).source.tolist()) == {"bimcv": 10, "rsna": 20}


def test_images_of_the_database_that_show_the_same_picture_are_one_unit(tmp_path):
    dataset, raw = get(tmp_path, database(same=(3, 5, 9)), externals=[])
    index = dataset.index(raw)
    units = dict(zip(index.id.tolist(), index.unit.tolist(), strict=True))
    assert units["bimcv-00003"] == units["bimcv-00005"] == units["bimcv-00009"]
    assert len(set(units.values())) == 20 - 2
    apart = CovidCXR(dataset.settings.model_copy(update={"group_duplicates": False}))
    assert len(set(apart.index(raw).unit.tolist())) == 20


def test_a_hospital_that_is_not_wished_needs_no_files(tmp_path):
    dataset, raw = get(tmp_path, externals=["cohen"], cohen=collection(COHEN[:3]))
    index = dataset.index(raw)
    assert set(index.source[index.split == "external"]) == {"cohen"}


# --- what is refused --------------------------------------------------------------------------------


def test_a_table_that_names_no_image_of_the_wished_source_is_refused(tmp_path):
    files = {**database(), f"{DATABASE}/COVID.metadata.xlsx": sheet([("COVID-1", SIRM)])}
    dataset, raw = get(tmp_path, files)
    with pytest.raises(BenchmarkError, match=r"COVID.metadata.xlsx names no image from bimcv.cipf.es"):
        dataset.index(raw)


def test_a_table_with_a_name_without_a_number_is_refused(tmp_path):
    files = {**database(), f"{DATABASE}/Normal.metadata.xlsx": sheet([("NORMAL-2", RSNA), ("NORMAL", RSNA)])}
    dataset, raw = get(tmp_path, files)
    with pytest.raises(BenchmarkError, match=r"FILE NAME in .*Normal.metadata.xlsx; got 'NORMAL'"):
        dataset.index(raw)


def test_an_image_of_the_table_that_is_missing_is_named(tmp_path):
    files = database()
    del files[f"{DATABASE}/COVID/images/COVID-4.png"]
    dataset, raw = get(tmp_path, files)
    with pytest.raises(BenchmarkError, match=rf"1 missing.*{DATABASE}/COVID/images/COVID-4.png"):
        dataset.index(raw)


def test_a_damaged_image_is_named(tmp_path):
    name = f"{DATABASE}/COVID/images/COVID-4.png"
    dataset, raw = get(tmp_path, {**database(), name: picture(4)[:60]}, externals=[])
    with pytest.raises(BenchmarkError, match=rf"{name} cannot be read"):
        packed(dataset, raw)


def test_an_older_database_without_its_folders_is_refused_with_the_file_that_was_expected(tmp_path):
    files = {name.replace("_Dataset", " Database"): content for name, content in database().items()}
    dataset, raw = get(tmp_path, files)
    with pytest.raises(BenchmarkError, match=rf"{DATABASE}/COVID.metadata.xlsx is not among"):
        dataset.index(raw)


def test_a_collection_without_its_table_is_refused_with_the_file_that_was_expected(tmp_path):
    files = {name: content for name, content in collection().items() if "metadata" not in name}
    dataset, raw = get(tmp_path, cohen=files)
    with pytest.raises(BenchmarkError, match=r"covid-chestxray-dataset-master/metadata.csv is not among"):
        dataset.index(raw)
