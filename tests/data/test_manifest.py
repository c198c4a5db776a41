"""A user's table of images as a data set: what enters, and every mistake told in a sentence."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from folders import disc, pictures, save, write_table

from benchmark.config import parse, read_yaml
from benchmark.data import predict_masks
from benchmark.data.manifest import FILES, TABLE, Manifest
from benchmark.data.table import read_table
from benchmark.errors import BenchmarkError
from benchmark.files import sha256_file
from benchmark.paths import data_root

ROOT = Path(__file__).resolve().parents[2]
SPLITS = ("train", "train", "train", "val", "test")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHORTCUT_BENCH_DATA", str(tmp_path / "root"))
    where = tmp_path / "root" / "mine"
    where.mkdir(parents=True)
    return where


def manifest(**settings: object) -> Manifest:
    return Manifest(Manifest.Settings(**{"folder": "mine", "size": 32, "channels": 1, **settings}))


def fetched(folder: Path, **settings: object) -> tuple[Manifest, Path]:
    dataset, raw = manifest(**settings), folder.parent.parent / "raw"
    raw.mkdir(exist_ok=True)
    dataset.fetch(raw)
    return dataset, raw


def test_a_table_and_images_become_a_data_set(folder: Path) -> None:
    rows = pictures(folder, 20, splits=SPLITS)
    dataset, raw = fetched(folder)
    images = dataset.load(raw)
    assert dataset.classes(raw) == ("cat", "dog")
    assert images.image.shape == (20, 32, 32, 1)
    assert [dataset.classes(raw)[k] for k in images.label] == [each["label"] for each in rows]
    assert images.split.tolist() == [each["split"] for each in rows]
    assert images.unit.tolist() == [each["patient"] for each in rows]
    assert abs(images.mask.mean() - np.pi * 0.25**2) < 0.02  # the disc's area


def test_the_raw_folder_holds_the_table_and_hashes_and_no_image(folder: Path) -> None:
    rows = pictures(folder, 10, splits=SPLITS)
    _, raw = fetched(folder)
    assert sorted(path.name for path in raw.iterdir()) == [FILES, TABLE]
    assert (raw / TABLE).read_bytes() == (folder / "index.csv").read_bytes()
    lines = (raw / FILES).read_text().splitlines()
    assert len(lines) == 1 + 2 * len(rows)
    file = folder / rows[0]["file"]
    assert f"{rows[0]['file']},{file.stat().st_size},{sha256_file(file)}" in lines


def test_fetching_again_sees_a_changed_image_and_packing_refuses_it_before(folder: Path) -> None:
    rows = pictures(folder, 10, splits=SPLITS)
    _, raw = fetched(folder)
    before = (raw / FILES).read_bytes()
    save(folder, rows[4]["file"], np.full((64, 64), 7, np.uint8))
    with pytest.raises(BenchmarkError, match=rf"file {rows[4]['file']} has changed since the data set was fetched"):
        manifest().load(raw)
    dataset, raw = fetched(folder)
    assert (raw / FILES).read_bytes() != before
    assert dataset.load(raw).image[4].max() == 7


def test_words_for_splits_are_translated(folder: Path) -> None:
    rows = pictures(folder, 20, splits=("train", "train", "val", "test_id", "test_ext"))
    write_table(folder, [{**each, "source": "far" if each["split"] == "test_ext" else "near"} for each in rows])
    with pytest.raises(BenchmarkError, match=r"got 'test_id'; expected train, val, test, external or nothing"):
        fetched(folder)
    dataset, raw = fetched(folder, splits={"test_id": "test", "test_ext": "external"})
    assert Counter(dataset.index(raw).split.tolist()) == {"train": 8, "val": 4, "test": 4, "external": 4}


def test_a_source_is_the_external_test_and_the_rest_is_drawn_by_patient(folder: Path) -> None:
    rows = pictures(folder, 80)
    for number, each in enumerate(rows):
        each["source"] = "near" if number < 60 else "far"
        each["patient"] = f"p{number // 2}" if number < 60 else f"q{number}"
        each["split"] = "train"
    write_table(folder, rows)
    dataset, raw = fetched(folder, sources_external=["far"], splits_from="draw")
    index = dataset.index(raw)
    assert set(index.source[index.split == "external"].tolist()) == {"far"}
    assert (index.split == "external").sum() == 20
    homes = dict(zip(index.unit.tolist(), index.split.tolist(), strict=True))
    assert [homes[unit] for unit in index.unit.tolist()] == index.split.tolist()
    drawn = Counter(home for unit, home in homes.items() if unit.startswith("p"))
    assert drawn == {"train": 21, "val": 3, "test": 6}  # 30 patients: 0.1 and 0.2 of them


def test_what_the_table_calls_external_stays_so_when_the_rest_is_drawn(folder: Path) -> None:
    rows = pictures(folder, 40, splits=("train", "external"))
    write_table(folder, [{**each, "source": "far" if each["split"] == "external" else "near"} for each in rows])
    dataset, raw = fetched(folder, splits_from="draw")
    index = dataset.index(raw)
    assert set(index.source[index.split == "external"].tolist()) == {"far"}
    assert (index.split == "external").sum() == 20


def test_a_source_in_the_external_test_and_in_training_is_refused(folder: Path) -> None:
    pictures(folder, 20, splits=("train", "train", "val", "test", "external"))
    with pytest.raises(
        BenchmarkError, match=r"source 'here' of index\.csv is in the external test and in other splits"
    ):
        fetched(folder)


def test_only_the_chosen_sources_are_kept(folder: Path) -> None:
    rows = pictures(folder, 20, splits=SPLITS)
    for each in rows[10:]:
        each["source"] = "there"
    write_table(folder, rows)
    dataset, raw = fetched(folder, sources=["there"])
    assert set(dataset.index(raw).source.tolist()) == {"there"}
    with pytest.raises(BenchmarkError, match=r"unknown source; got 'ther'; expected did you mean 'there'"):
        fetched(folder, sources=["ther"])


def test_kinds_of_masks_are_translated_and_notes_become_facts(folder: Path) -> None:
    rows = pictures(folder, 10, splits=SPLITS)
    write_table(folder, [{**each, "mask_kind": "unet" if n else "human", "id": f"i{n}"} for n, each in enumerate(rows)])
    dataset, raw = fetched(folder, mask_kinds={"unet": "predicted"}, notes={"dice": 0.95})
    index = dataset.index(raw)
    assert Counter(index.mask_kind.tolist()) == {"human": 1, "predicted": 9}
    assert dataset.facts(raw) == {"dice": 0.95}
    assert index.id.tolist() == [f"i{n}" for n in range(10)]


def test_the_order_of_the_rows_does_not_matter(folder: Path) -> None:
    rows = pictures(folder, 40)
    dataset, raw = fetched(folder)
    first = dataset.index(raw)
    write_table(folder, rows[::-1])
    dataset, raw = fetched(folder)
    for name, values in dataset.index(raw).columns().items():
        assert np.array_equal(values, getattr(first, name)), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../out.png"}, "a path below the folder"),
        ({"file": "/tmp/out.png"}, "a path below the folder"),  # noqa: S108
        ({"mask": "../out.png"}, "a path below the folder"),
        ({"file": "images/gone.png"}, r"1 missing below .*images/gone\.png"),
        ({"file": "images/0001.png"}, r"file in Manifest; got 'images/0001\.png comes 2 times"),
        ({"label": ""}, "label in line 2 of index.csv; got ''"),
        ({"label": " cat"}, "label in line 2 of index.csv; got ' cat'; expected no blanks"),
        ({"split": "tset"}, "got 'tset'"),
        ({"patient": "p3"}, "unit 'p3' is in two splits"),
        ({"label": "bird", "split": "test"}, "class 'bird' of Manifest is not among the training images"),
    ],
)
def test_a_wrong_row_is_told(folder: Path, change: dict[str, str], message: str) -> None:
    rows = pictures(folder, 20, splits=("train", "test", "val"))
    write_table(folder, [{**rows[0], **change}, *rows[1:]])
    with pytest.raises(BenchmarkError, match=message):
        dataset, raw = fetched(folder)
        dataset.index(raw)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"file,label,source,split,patient,mask\n", "no row below its header"),
        (b"file,label\na.png,cat\n", "lacks columns; got 'file, label'; expected also source, split, patient, mask"),
        (b"file;label;source;split;patient;mask\na.png;cat;x;;;\n", "delimiter; got ';'"),
        (b"file\tlabel\tsource\tsplit\tpatient\tmask\n", "delimiter"),
        (b"file,file,label,source,split,patient,mask\n", "names a column twice; got 'file'"),
        (b"file,label,source,split,patient,mask,mask_kid\n", "expected 'mask_kind'"),
        (b"file,label,source,split,patient,mask\na.png,cat,x,,\n", "line 2 of .*got '5 fields'"),
        (b"file,label,source,split,patient,mask\n\n\na,b.png,cat,x,,,\n", "line 4 of .*got '7 fields'"),
        ("file,label,source,split,patient,mask\nä.png,cat,x,,,\n".encode("latin-1"), "is not UTF-8"),
        (b'file,label,source,split,patient,mask\n"a.png,cat,x,,,\n', "is no CSV"),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(BenchmarkError, match=message):
        read_table(tmp_path / "index.csv", "the table")


def test_a_byte_order_mark_windows_line_ends_quotes_and_other_columns_do_no_harm(tmp_path: Path) -> None:
    text = 'age,file,label,source,split,patient,mask\r\n7,"a, b.png",cat,x,,,\r\n'
    (tmp_path / "index.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = read_table(tmp_path / "index.csv", "the table")
    assert found == {
        "file": ["a, b.png"],
        "label": ["cat"],
        "source": ["x"],
        "split": [""],
        "patient": [""],
        "mask": [""],
    }


def test_a_missing_folder_names_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHORTCUT_BENCH_DATA", str(tmp_path))
    with pytest.raises(BenchmarkError, match="Set SHORTCUT_BENCH_DATA, or data_root in"):
        manifest().fetch(tmp_path)


def test_the_data_root_is_the_variables_then_the_files_then_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHORTCUT_BENCH_DATA", raising=False)
    default = data_root()
    assert not default.is_absolute()
    (tmp_path / "pipelines/configs").mkdir(parents=True)
    (tmp_path / "pipelines/configs/data_root.yaml").write_text("data_root: images\n")
    assert data_root() == Path("images") != default
    monkeypatch.setenv("SHORTCUT_BENCH_DATA", "/elsewhere")
    assert data_root() == Path("/elsewhere")


def test_missing_masks_are_predicted_and_said_to_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_masks, "STEPS", 30)  # a bright object on a dark ground needs no more
    rows = pictures(folder, 100, splits=SPLITS, side=64)
    for number, each in enumerate(rows):  # the object is bright, so its mask can be learnt
        image = np.where(disc(64, 0.2, *np.random.default_rng(number).uniform(0.3, 0.7, 2)), 220, 60)
        image = image + np.random.default_rng(number).integers(-20, 20, (64, 64))
        save(folder, each["file"], image.astype(np.uint8))
        save(folder, each["mask"], np.where(image > 140, 255, 0).astype(np.uint8))
        if number % 4 == 0:
            each["mask"] = ""
    write_table(folder, rows)
    dataset, raw = fetched(folder, missing_masks="predict", size=64)
    index = dataset.index(raw)
    facts = dataset.facts(raw)
    assert Counter(index.mask_kind.tolist())["predicted"] == facts["predicted_masks"] == 25
    assert (
        0.7 < facts["predicted_masks_dice_low"] <= facts["predicted_masks_dice"] <= facts["predicted_masks_dice_high"]
    )
    images, masks = dataset.pixels(raw, index, np.flatnonzero(index.mask_kind == "predicted"))
    truth = images[..., 0] > 140
    dice = 2 * (masks * truth).sum((1, 2)) / (masks.sum((1, 2)) + truth.sum((1, 2)))
    assert abs(dice.mean() - facts["predicted_masks_dice"]) < 0.1


def test_masks_cannot_be_predicted_from_too_few(folder: Path) -> None:
    rows = pictures(folder, 20, splits=SPLITS)
    write_table(folder, [{**each, "mask": "" if n else each["mask"]} for n, each in enumerate(rows)])
    dataset, raw = fetched(folder, missing_masks="predict")
    with pytest.raises(BenchmarkError, match="training units with a mask"):
        dataset.index(raw)


@pytest.mark.parametrize("name", ["tb", "tb_reverse", "covid"])
def test_the_x_ray_sets_enter_as_their_settings_say(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    content = read_yaml(ROOT / "pipelines/configs/datasets" / f"{name}.yaml")
    assert content.pop("dataset") == "manifest"
    dataset = Manifest(parse(Manifest.Settings, content, name))
    if not (data_root() / dataset.settings.folder).is_dir():
        pytest.skip("the images are not below the data root")
    dataset.fetch(tmp_path)
    index = dataset.index(tmp_path)
    outside = set(index.source[index.split == "external"].tolist())
    assert outside == set(dataset.settings.sources_external)
    assert not outside & set(index.source[index.split != "external"].tolist())
    homes = dict(zip(index.unit.tolist(), index.split.tolist(), strict=True))
    assert [homes[unit] for unit in index.unit.tolist()] == index.split.tolist()
    assert {"human", "predicted"} == set(index.mask_kind.tolist())
    counts = Counter(zip(index.split.tolist(), [dataset.classes(tmp_path)[k] for k in index.label], strict=True))
    expected = {
        "tb": {("train", "tb"): 240, ("external", "tb"): 58, ("external", "normal"): 80},
        "tb_reverse": {("external", "tb"): 336, ("external", "normal"): 326},
        "covid": {("train", "covid"): 480, ("external", "covid"): 571, ("external", "normal"): 417},
    }[name]
    assert {key: counts[key] for key in expected} == expected  # counted from the tables with another tool


def test_a_copy_of_the_folder_gives_the_same_raw_data(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(folder, 10, splits=SPLITS)
    _, raw = fetched(folder)
    before = {path.name: path.read_bytes() for path in raw.iterdir()}
    shutil.copytree(folder.parent, tmp_path / "moved")
    monkeypatch.setenv("SHORTCUT_BENCH_DATA", str(tmp_path / "moved"))
    _, raw = fetched(folder)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before


def test_a_row_without_patient_is_its_own_unit(folder: Path) -> None:
    rows = [{**each, "patient": ""} for each in pictures(folder, 10, splits=SPLITS)]
    write_table(folder, rows)
    dataset, raw = fetched(folder)
    index = dataset.index(raw)
    assert index.unit.tolist() == index.id.tolist()
