import dataclasses
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions, image_sets
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests

IMAGES = {
    "id": np.array(["a", "b", "c", "d"]),
    "unit": np.array(["p", "p", "q", "r"]),
    "source": np.array(["here", "here", "there", "here"]),
    "label": np.array([0, 1, 2, 1]),
}
ELSEWHERE = {
    "id": np.array(["x", "y", "z", "u", "v"]),
    "unit": np.array(["p", "s", "s", "t", "t"]),
    "source": np.full(5, "abroad"),
    "label": np.array([2, 1, 0, 0, 1]),
}


def images(**changes):
    """Four images of three units."""
    return Shown(**IMAGES | changes)


def make(**changes):
    """Two seeds, three classes; three variants on the same images, and another hospital's."""
    rng = np.random.default_rng(7)
    content = {
        "seeds": np.array([0, 1]),
        "tested": {v: images() for v in ("iid", "ood", "deceiving")} | {"external": Shown(**ELSEWHERE)},
        "logits": {v: rng.normal(size=(2, 4, 3)).astype(np.float32) for v in ("iid", "ood", "deceiving")}
        | {"external": rng.normal(size=(2, 5, 3)).astype(np.float32)},
        "subset": dict.fromkeys(("iid", "ood", "deceiving"), np.array([0, 3])) | {"external": np.array([1, 2, 4])},
        "image_scores": {
            ("background_relevance_mass", "iid"): np.array([[0.25, np.nan], [0.5, 0.75]], np.float32),
            ("background_relevance_mass", "external"): np.array([[0.1, 0.2, 0.3], [0.4, np.nan, 0.6]], np.float32),
        },
        "heatmap_loss": np.array([0.1, 1 / 3]),
        "attributes": {"strata": "label", "code": "é", "empty": ""},
    }
    return Predictions(**content | changes)


def assert_same(a, b):
    for field in dataclasses.fields(Predictions):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if isinstance(left, dict):
            assert left.keys() == right.keys()
            for key in left:
                if field.name == "tested":
                    assert left[key].same_as(right[key])
                else:
                    np.testing.assert_array_equal(left[key], right[key])
        else:
            np.testing.assert_array_equal(left, right)
            assert getattr(left, "dtype", None) == getattr(right, "dtype", None)


def test_round_trip(tmp_path):
    stored = make()
    stored.write(tmp_path / "new folder" / "p.npz")
    back = Predictions.read(tmp_path / "new folder" / "p.npz")
    assert_same(stored, back)
    assert back.logits["ood"].dtype == np.float32
    assert back.heatmap_loss.dtype == np.float64


def test_round_trip_of_the_least(tmp_path):
    stored = Predictions([3], {"iid": Shown(["a"], ["a"], ["h"], [1])}, {"iid": np.zeros((1, 1, 2))})
    stored.write(tmp_path / "p.npz")
    back = Predictions.read(tmp_path / "p.npz")
    assert_same(stored, back)
    assert back.heatmap_loss is None
    assert back.image_scores == {}
    assert back.subset["iid"].shape == (0,)


@settings(max_examples=25, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=6),
    names=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=4),
    seeds=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3, unique=True),
)
def test_round_trip_of_anything(tmp_path_factory, labels, names, seeds):
    path = tmp_path_factory.mktemp("any") / "p.npz"
    n = len(labels)
    logits = np.random.default_rng(n).normal(size=(len(seeds), n, 5)).astype(np.float32)
    tested = Shown([f"{i}{names}" for i in range(n)], [names] * n, [names[::-1]] * n, labels)
    stored = Predictions(seeds, {"iid": tested}, {"iid": logits})
    stored.write(path)
    assert_same(stored, Predictions.read(path))


def test_any_reader_of_npz_can_open_it(tmp_path):
    stored = make()
    stored.write(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["logits/iid"], stored.logits["iid"])
        assert json.loads(str(archive["attributes"])) == stored.attributes


def test_same_content_gives_the_same_bytes(tmp_path):
    make().write(tmp_path / "a.npz")
    names = ("tested", "logits", "subset", "image_scores", "attributes")
    turned = {name: dict(reversed(getattr(make(), name).items())) for name in names}
    make(**turned).write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    make(heatmap_loss=np.array([0.1, 0.3])).write(tmp_path / "c.npz")
    assert (tmp_path / "a.npz").read_bytes() != (tmp_path / "c.npz").read_bytes()


def test_images_are_stored_once_for_all_variants_that_show_them(tmp_path):
    make().write(tmp_path / "p.npz")
    with zipfile.ZipFile(tmp_path / "p.npz") as archive:
        names = archive.namelist()
    members = {"id", "unit", "source", "label", "subset"}
    sets = ("iid+ood+deceiving", "external")
    assert {name for name in names if name.startswith("tested/")} == {
        f"tested/{s}/{m}.npy" for s in sets for m in members
    }
    assert len(names) == 2 * 5 + 4 + 2 + 4  # columns, logits, image scores; attributes, format, heatmap_loss, seeds


def test_every_variant_has_the_images_that_it_shows(tmp_path):
    make().write(tmp_path / "p.npz")
    back = Predictions.read(tmp_path / "p.npz")
    assert list(back.tested) == ["iid", "ood", "deceiving", "external"]
    for variant in ("iid", "ood", "deceiving"):
        assert back.tested[variant].unit.tolist() == ["p", "p", "q", "r"]
        assert back.subset[variant].tolist() == [0, 3]
    assert back.tested["external"].source.tolist() == ["abroad"] * 5
    assert back.tested["external"].label.tolist() == [2, 1, 0, 0, 1]
    assert back.subset["external"].tolist() == [1, 2, 4]
    assert len(back.tested["external"]) == 5


@pytest.mark.parametrize("column", ["id", "unit", "source", "label"])
def test_images_are_the_same_only_where_every_column_is(column):
    other = images(**{column: np.roll(IMAGES[column], 1)})
    assert image_sets({"deceiving": images(), "ood": other, "iid": images()}) == {
        "iid": ("iid", "deceiving"),
        "ood": ("ood",),
    }
    assert image_sets({"external": images(), "iid": images()}) == {"iid": ("iid", "external")}


def test_a_variant_that_is_there_twice_is_told(tmp_path):
    make().write(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as archive:
        arrays = dict(archive)
    for name in ("id", "unit", "source", "label", "subset"):
        arrays[f"tested/ood/{name}"] = arrays[f"tested/external/{name}"]
    np.savez(tmp_path / "p.npz", **arrays)
    with pytest.raises(BenchmarkError, match=r"p\.npz is inconsistent: images of 'ood' are there twice"):
        Predictions.read(tmp_path / "p.npz")


def test_every_truncation_is_told(tmp_path):
    make().write(tmp_path / "p.npz")
    whole = (tmp_path / "p.npz").read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "p.npz").write_bytes(whole[:size])
        with pytest.raises(BenchmarkError, match=r"p\.npz is damaged.*train the cell again"):
            Predictions.read(tmp_path / "p.npz")


def test_no_flipped_byte_changes_the_content_silently(tmp_path):
    stored = make()
    stored.write(tmp_path / "p.npz")
    whole = (tmp_path / "p.npz").read_bytes()
    refused = 0
    for place in range(0, len(whole), 11):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        (tmp_path / "p.npz").write_bytes(broken)
        try:
            back = Predictions.read(tmp_path / "p.npz")
        except BenchmarkError:
            refused += 1
        else:
            assert_same(stored, back)
    assert refused > 50


def test_missing_file(tmp_path):
    with pytest.raises(BenchmarkError, match="missing"):
        Predictions.read(tmp_path / "p.npz")


def test_files_that_are_no_predictions(tmp_path):
    path = tmp_path / "p.npz"
    np.save(path.with_suffix(".npy"), np.arange(3))
    for name, arrays, message in [
        ("other", {"x": np.arange(3)}, "damaged"),
        ("pickle", {"format": np.array([{}], dtype=object)}, "damaged"),
        ("later", {"format": np.array(99)}, "its format; got 99"),
        ("earlier", {"format": np.array(1)}, "its format; got 1; expected 2.*train the cell again"),
    ]:
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(BenchmarkError, match=message):
            Predictions.read(tmp_path / f"{name}.npz")
    with pytest.raises(BenchmarkError, match="damaged"):
        Predictions.read(path.with_suffix(".npy"))


def test_inconsistent_file_names_the_file_and_the_fault(tmp_path):
    make().write(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as archive:
        arrays = dict(archive)
    arrays["tested/iid+ood+deceiving/label"] = arrays["tested/iid+ood+deceiving/label"][:-1]
    np.savez(tmp_path / "p.npz", **arrays)
    with pytest.raises(BenchmarkError, match=r"p\.npz is inconsistent: label; got 'shape \[3\]'; expected \[4\]"):
        Predictions.read(tmp_path / "p.npz")


LOGITS = np.zeros((2, 4, 3), np.float32)
SCORES = np.zeros((2, 2), np.float32)
ONE = {"tested": {"iid": images()}, "logits": {"iid": LOGITS}, "subset": {}, "image_scores": {}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": np.array([1, 1])}, "seeds holds a value twice; got 1"),
        ({"seeds": np.array([], int)}, "no seed"),
        ({"seeds": np.array([0.0, 1.0])}, "seeds; got 'type float64'; expected whole numbers"),
        ({"seeds": np.array([0, 1, 2])}, "logits of 'iid'"),
        ({"tested": {}}, "no variant"),
        ({"tested": {"odd": images()}}, "unknown variant; got 'odd'; expected did you mean 'ood'"),
        ({"tested": {"iid": images()}}, "unknown variant in logits; got 'ood'; expected one of iid"),
        (ONE | {"logits": {}}, "logits of 'iid' are missing"),
        (
            ONE | {"tested": {"iid": images(label=[0, 1, 2, 3])}},
            "label of 'iid' is out of range; got 3; expected 0 to 2",
        ),
        (ONE | {"logits": {"iid": LOGITS[:, :3]}}, r"logits of 'iid'; got 'shape \[2, 3, 3\]'; expected \[2, 4, any\]"),
        (ONE | {"logits": {"iid": LOGITS[..., :1]}}, "at least 2"),
        (ONE | {"logits": {"iid": np.where(LOGITS == 0, np.nan, 0)}}, r"not finite; got 'nan at \[0, 0, 0\]'"),
        (ONE | {"subset": {"iid": np.array([0, 4])}}, "subset of 'iid' is out of range; got 4"),
        (ONE | {"subset": {"iid": np.array([1, 1])}}, "subset of 'iid' holds a value twice"),
        (ONE | {"subset": {"ood": np.array([1])}}, "unknown variant in subset; got 'ood'"),
        ({"subset": {"iid": np.array([0, 3])}, "image_scores": {}}, "subset of 'ood' differs from that of 'iid'"),
        (ONE | {"image_scores": {("background_relevance_mass", "external"): SCORES}}, "got 'external'"),
        ({"image_scores": {("background_relevance_mass", "iid"): SCORES[:1]}}, r"expected \[2, 2\]"),
        ({"image_scores": {("background_relevance_mass", "iid"): SCORES + np.inf}}, "infinity"),
        ({"heatmap_loss": np.array([0.1])}, r"heatmap_loss; got 'shape \[1\]'; expected \[2\]"),
        ({"heatmap_loss": np.array([0.1, np.nan])}, "heatmap_loss hold a value that is not finite"),
        ({"attributes": {"epochs": 3}}, "attribute 'epochs'; got 3"),
    ],
)
def test_faults_are_told(changes, message):
    with pytest.raises(BenchmarkError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": np.array(["a", "b", "c", "a"])}, "id holds a value twice; got 'a'"),
        ({"id": np.arange(4)}, "id; got 'type int64'; expected text"),
        ({"unit": np.array(["p"])}, r"unit; got 'shape \[1\]'; expected \[4\]"),
        ({"source": np.array([1, 2, 3, 4])}, "source; got 'type int64'; expected text"),
        ({"label": np.array([0.0, 1, 2, 1])}, "label; got 'type float64'; expected whole numbers"),
        ({"label": np.array([0, 1, 2, -1])}, "label is out of range; got -1; expected 0 or more"),
    ],
)
def test_faults_of_the_images_are_told(changes, message):
    with pytest.raises(BenchmarkError, match=message):
        images(**changes)


def test_importing_the_statistics_leaves_torch_out():
    modules = "predictions metrics.generalization metrics.attribution stats.compare stats.bootstrap summary"
    imports = "; ".join(f"import benchmark.{name}" for name in modules.split())
    code = f"import sys; {imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
