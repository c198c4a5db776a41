"""Marks in pixels: the subsets in memory, the same block by block, and biases that break their contract."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_images import Specks, shuffled_index, with_pixels

from benchmark.api import NO_CODE, Images, Index, PlantedBias
from benchmark.biases.corner import Corner
from benchmark.biases.natural import Natural
from benchmark.biases.source import Source
from benchmark.data import pack as reading
from benchmark.data import pack_write
from benchmark.data.pack import groups, read_attributes, read_columns, read_index
from benchmark.data.pack_write import by_split, write_pack
from benchmark.errors import BenchmarkError
from benchmark.files import sha256_file
from benchmark.inject import inject, inject_pack, plant

CLASSES = 4
EVERYTHING = {
    "correlation": 0.7,
    "prevalence": (1.0, 0.6, 0.3, 0.0),
    "codes": 6,
    "label_noise": 0.2,
    "counterfactuals": 7,
    "seed": 3,
}


def make_images(n=120, classes=CLASSES, channels=1):
    images = with_pixels(shuffled_index(n, classes, ("train", "val", "test", "external")), channels=channels)
    seen = Counter()  # every class of every split comes from every source
    source = []
    for kind in zip(images.split.tolist(), images.label.tolist(), strict=True):
        source.append(("north", "south", "east", "west")[seen[kind] % 4])
        seen[kind] += 1
    return replace(images, source=np.array(source))


def corner(**dials):
    return Corner(Corner.Settings(size=0.17, **dials))  # two pixels of twelve


@pytest.fixture(scope="module")
def images():
    return make_images()


@pytest.fixture(scope="module")
def subsets(images):
    return inject(images, corner())


# --- in memory --------------------------------------------------------------------------------------


def test_every_split_and_variant_is_there(images, subsets):
    assert list(subsets) == ["train", "val", "iid", "ood", "deceiving", "balanced", "external"]
    for name in ("train", "val", "external"):
        assert subsets[name].images.id.tolist() == images.id[images.split == name].tolist()


@pytest.mark.parametrize("name", ["iid", "ood", "deceiving"])
def test_all_variants_show_the_same_test_images_outside_the_mark(images, subsets, name):
    test, subset = images.take(images.split == "test"), subsets[name]
    for column in ("id", "unit", "source", "split", "label", "mask", "mask_kind"):
        assert getattr(subset.images, column).tolist() == getattr(test, column).tolist()
    assert np.array_equal(subset.images.image[subset.mark == 0], test.image[subset.mark == 0])


def test_the_mark_is_where_its_code_says(subsets):
    corners = {0: (0, 0), 1: (0, 10), 2: (10, 10), 3: (10, 0)}
    for name in ("train", "val", "iid", "deceiving", "balanced"):
        subset = subsets[name]
        for image, mark, code in zip(subset.images.image, subset.mark, subset.code, strict=True):
            top, left = corners[int(code)]
            assert mark.sum() == mark[top : top + 2, left : left + 2].sum() == 4
            assert (image[mark == 1] == 255).all()


@pytest.mark.parametrize(("name", "split"), [("ood", "test"), ("external", "external")])
def test_images_without_a_mark_are_as_they_were(images, subsets, name, split):
    subset = subsets[name]
    assert np.array_equal(subset.images.image, images.image[images.split == split])
    assert not subset.mark.any()
    assert set(subset.code.tolist()) == {NO_CODE}


def test_among_marked_images_those_without_a_mark_are_as_they_were(images):
    train = inject(images, corner(prevalence=0.5))["train"]
    before = images.image[images.split == "train"]
    bare = train.code == NO_CODE
    assert 0 < bare.sum() < len(bare)
    assert np.array_equal(train.images.image[bare], before[bare])
    assert not train.mark[bare].any()
    assert (train.mark[~bare].sum(axis=(1, 2)) == 4).all()
    assert (train.images.image[~bare] != before[~bare]).any(axis=(1, 2, 3)).all()


def test_the_subset_gives_the_noisy_label_and_the_mark_that_follows_it(images):
    subset = inject(images, corner(label_noise=0.5))["train"]
    true = images.label[images.split == "train"]
    assert 0 < (subset.images.label != true).sum() < len(true)
    assert np.array_equal(subset.code, subset.images.label)


def test_planting_changes_nothing_of_the_images_it_is_given(images):
    before = {field.name: getattr(images, field.name).copy() for field in fields(Images)}
    inject(images, Specks(Specks.Settings(**EVERYTHING)))
    for name, values in before.items():
        assert np.array_equal(getattr(images, name), values), name


def test_the_columns_of_a_biased_pack(subsets):
    columns = subsets["iid"].columns()
    assert set(columns) == {*(field.name for field in fields(Images)), "mark", "code"}
    assert {len(values) for values in columns.values()} == {30}


@pytest.mark.parametrize("bias", [corner, lambda **dials: Specks(Specks.Settings(**dials))], ids=["corner", "specks"])
def test_counterfactual_images_are_equal_but_for_their_marks(images, bias):
    found = inject(images, bias(counterfactuals=5, correlation=0.6))["counterfactual"]
    by_name = {name: row for row, name in enumerate(images.id.tolist())}
    assert len(found.images) == 5 * CLASSES
    for row, (name, code) in enumerate(zip(found.images.id.tolist(), found.code.tolist(), strict=True)):
        original, _, named = name.partition("@")
        assert int(named) == code == row % CLASSES
        assert found.images.unit[row] == original
        before = images.image[by_name[original]]
        assert images.split[by_name[original]] == "test"
        background = found.mark[row] == 0
        assert np.array_equal(found.images.image[row][background], before[background])
        assert (found.images.image[row] != before).any()
    if bias is not corner:  # the place does not depend on the code, only the brightness does
        marks = found.mark.reshape(5, CLASSES, *found.mark.shape[1:])
        assert (marks == marks[:, :1]).all()


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(48)), st.integers(30, 48))
def test_the_pixels_of_an_image_depend_on_no_other(order, count):
    images = make_images(48)
    other = images.take(np.array(order)[np.sort(np.random.default_rng(0).permutation(48)[:count])])
    if set(other.split) != set(images.split) or other.label.max() != images.label.max():
        return
    bias = Specks(Specks.Settings(correlation=0.6, prevalence=0.8))
    before, after = inject(images, bias), inject(other, bias)
    for name, subset in after.items():
        row = {id_: place for place, id_ in enumerate(before[name].images.id.tolist())}
        rows = np.array([row[id_] for id_ in subset.images.id.tolist()])
        assert np.array_equal(subset.images.image, before[name].images.image[rows])
        assert np.array_equal(subset.mark, before[name].mark[rows])


# --- block by block ---------------------------------------------------------------------------------


def stored(images, folder):
    """A pack of the images, and its index."""
    ordered = images.take(by_split(images))
    index = Index(**{field.name: getattr(ordered, field.name) for field in fields(Index)})
    path = folder / "pack.h5"
    write_pack(path, index, [(ordered.image, ordered.mask)], {"dataset": "made"})
    return path, read_index(path), ordered


def nobody(*_):
    """Looks at nothing."""


SPEAKS = {"north": 0, "south": 1, "east": 2, "west": 3}
BIASES = {
    "corner": corner(),
    "every dial": Specks(Specks.Settings(**EVERYTHING)),
    "presence": corner(codes=1, prevalence=(0.0, 1.0, 0.0, 0.0)),
    "natural": Natural(Natural.Settings()),
    "source": Source(Source.Settings(speaks_for=SPEAKS, correlation=0.5)),
}


@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize(("block", "chunk"), [(1, 2**20), (7, 1), (7, 1000), (50, 3000), (1000, 500)])
@pytest.mark.parametrize("channels", [1, 3])
def test_block_by_block_gives_what_all_at_once_gives(tmp_path, monkeypatch, name, block, chunk, channels):
    path, index, images = stored(make_images(channels=channels), tmp_path)
    monkeypatch.setattr(reading, "BLOCK", block * 144 * channels)
    monkeypatch.setattr(pack_write, "CHUNK", chunk)
    target = tmp_path / "biased.h5"
    counts = inject_pack(path, index, target, BIASES[name], {"bias": name}, nobody)
    expected = inject(images, BIASES[name])
    assert counts == {subset: len(found.code) for subset, found in expected.items()}
    assert groups(target) == sorted(expected)
    assert read_attributes(target) == {"bias": name}
    for subset, found in expected.items():
        columns, _ = read_columns(target, subset)
        assert columns.keys() == found.columns().keys()
        for column, values in found.columns().items():
            assert np.array_equal(columns[column], values), (subset, column)
            assert columns[column].dtype.kind == values.dtype.kind


def test_every_part_of_every_subset_is_shown_with_the_images_it_comes_from(tmp_path, monkeypatch):
    path, index, images = stored(make_images(), tmp_path)
    monkeypatch.setattr(reading, "BLOCK", 7 * 144)
    seen = {}

    def look(name, subset, before, rows):
        assert np.array_equal(subset.images.unit, before.id[rows])
        outside = subset.mark == 0
        assert np.array_equal(subset.images.image[outside], before.image[rows][outside])
        seen.setdefault(name, []).extend(subset.images.id.tolist())

    bias = BIASES["every dial"]
    inject_pack(path, index, tmp_path / "biased.h5", bias, {}, look)
    assert seen == {name: subset.images.id.tolist() for name, subset in inject(images, bias).items()}


def test_equal_packs_and_dials_give_equal_bytes(tmp_path, monkeypatch):
    path, index, _ = stored(make_images(), tmp_path)
    monkeypatch.setattr(reading, "BLOCK", 11 * 144)
    targets = [tmp_path / "one.h5", tmp_path / "elsewhere" / "two.h5", tmp_path / "three.h5"]
    for target, seed in zip(targets, (0, 0, 1), strict=True):
        inject_pack(path, index, target, Specks(Specks.Settings(seed=seed)), {"seed": 0}, nobody)
    one, two, three = map(sha256_file, targets)
    assert one == two != three


class Failing(Specks):
    """Has no place for its mark in one late image."""

    def plant(self, image, mask, code, codes, draws):
        if (image == 201).any():
            raise BenchmarkError("image number 0 has no background")
        return super().plant(image, mask, code, codes, draws)


def test_a_bias_that_fails_late_leaves_no_half_made_pack(tmp_path, monkeypatch):
    images = make_images()
    images.image[np.flatnonzero(images.split == "test")[-1], 0, 0] = 201
    path, index, _ = stored(images, tmp_path)
    monkeypatch.setattr(reading, "BLOCK", 7 * 144)
    folder = tmp_path / "biased"
    with pytest.raises(BenchmarkError, match="has no background"):
        inject_pack(path, index, folder / "pack.h5", Failing(Failing.Settings()), {}, nobody)
    assert list(folder.iterdir()) == []


MEMORY = """
import sys
from pathlib import Path
import numpy as np
from made_images import Specks, made_index
from benchmark.data import pack as reading
from benchmark.data.pack import read_index
from benchmark.data.pack_write import write_pack
from benchmark.inject import inject_pack

def peak():
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) / 1024 for line in stream if line.startswith("VmHWM"))

def run(count):
    split = np.repeat(["train", "val", "test"], [count // 2, count // 4, count - count // 2 - count // 4])
    index = made_index(np.arange(count) % 3, split)
    rng = np.random.default_rng(0)
    mask = np.zeros((50, 64, 64), np.uint8)
    mask[:, 20:40, 20:40] = 1
    blocks = ((rng.integers(0, 200, (50, 64, 64, 3), dtype=np.uint8), mask) for _ in range(count // 50))
    pack = Path(sys.argv[1]) / "pack.h5"
    write_pack(pack, index, blocks, {})
    bias = Specks(Specks.Settings(counterfactuals=200))
    inject_pack(pack, read_index(pack), pack.with_name("biased.h5"), bias, {}, lambda *_: None)
    return pack.with_name("biased.h5").stat().st_size / 2**20

reading.BLOCK = 2**20
few = run(1000), peak()
many = run(3000), peak()
print(*few, *many)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_the_memory_that_a_pack_needs_does_not_grow_with_it(tmp_path):
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    size_of_few, peak_of_few, size_of_many, peak_of_many = map(float, done.stdout.split())
    assert size_of_many > 40 + size_of_few  # MiB of images with their masks and marks
    assert peak_of_many < 10 + peak_of_few  # blocks, and the chunks that wait in each column, are the same


# --- a bias that breaks its contract ----------------------------------------------------------------


class Rogue(PlantedBias):
    """Does to the first image what the test says."""

    def __init__(self, act):
        super().__init__(self.Settings())
        self.act = act

    def plant(self, image, mask, code, codes, draws):
        image, mark = image.copy(), np.zeros_like(mask)
        mark[:, 0, 0] = 1
        image[:, 0, 0] = 255
        self.act(image, mark)
        return image, mark


def paint(image, mark):
    image[0, 5, 5] = 255


def claim_foreground(image, mark):
    mark[0, 5, 5] = 1


def paint_and_claim_foreground(image, mark):
    image[0, 5, 5] = 255
    mark[0, 5, 5] = 1


def paint_background_unclaimed(image, mark):
    image[0, 0, 1] = 255


def paint_the_last_channel_unclaimed(image, mark):
    image[-1, 11, 11, -1] += 1


@pytest.mark.parametrize(
    "act",
    [paint, claim_foreground, paint_and_claim_foreground, paint_background_unclaimed, paint_the_last_channel_unclaimed],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_bias_that_touches_what_it_must_not_is_refused(act, channels):
    told = "bias Rogue broke its contract; got .*strictly outside the mask.*plant"
    with pytest.raises(BenchmarkError, match=told):
        inject(make_images(channels=channels), Rogue(act))


def test_a_bias_within_its_contract_passes(images):
    subset = plant(images, images.label, Rogue(lambda image, mark: None), CLASSES)
    assert (subset.images.image[:, 0, 0] == 255).all()


class InPlace(PlantedBias):
    """Writes into the arrays that it was given."""

    def plant(self, image, mask, code, codes, draws):
        image[:] = 255
        mask[:] = 0
        mark = np.zeros_like(mask)
        mark[:, 0, 0] = 1
        return image, mark


def test_a_bias_that_writes_into_its_input_is_refused_and_harms_nothing(images):
    before = images.image.copy(), images.mask.copy()
    with pytest.raises(BenchmarkError, match="bias InPlace broke its contract"):
        plant(images, images.label, InPlace(InPlace.Settings()), CLASSES)
    assert np.array_equal(images.image, before[0])
    assert np.array_equal(images.mask, before[1])


class Misshapen(PlantedBias):
    """Returns what the test makes of the image and an empty mark."""

    def __init__(self, change):
        super().__init__(self.Settings())
        self.change = change

    def plant(self, image, mask, code, codes, draws):
        return self.change(image, np.zeros_like(mask))


@pytest.mark.parametrize(
    "change",
    [
        lambda image, mark: (image.astype(np.float32), mark),
        lambda image, mark: (image[:-1], mark[:-1]),
        lambda image, mark: (image[..., 0], mark),
        lambda image, mark: (image, mark[..., None]),
        lambda image, mark: (image, mark[:, 1:]),
    ],
    ids=["real-valued", "an image less", "no channel", "channel of the mark", "smaller mark"],
)
def test_a_bias_that_returns_another_form_is_refused(images, change):
    with pytest.raises(
        BenchmarkError, match=r"bias Misshapen broke its contract; got .*expected uint8 \(30, 12, 12, 1\)"
    ):
        inject(images, Misshapen(change))


class Picky(PlantedBias):
    """Refuses the image that is third of those with a mark."""

    def plant(self, image, mask, code, codes, draws):
        raise BenchmarkError("image number 2 has no background where mark 1 belongs", do="Use another bias.")


def test_an_image_that_a_bias_refuses_is_named_by_its_id(images):
    code = images.label.copy()
    code[0] = NO_CODE  # so the third image with a mark is the fourth
    told = rf"^image '{images.id[3]}' has no background where mark 1 belongs\. Use another bias\.$"
    with pytest.raises(BenchmarkError, match=told):
        plant(images, code, Picky(Picky.Settings()), CLASSES)


class Blank(PlantedBias):
    """Plants nothing into the images of class 2, and says nothing of it."""

    def plant(self, image, mask, code, codes, draws):
        mark = np.zeros_like(mask)
        mark[code != 2, 0, 0] = 1
        return image, mark


def test_a_bias_that_plants_no_mark_where_there_should_be_one_is_refused(images):
    first = images.id[images.label == 2][0]
    with pytest.raises(BenchmarkError, match=f"bias Blank planted no mark in image '{first}'"):
        plant(images, images.label, Blank(Blank.Settings()), CLASSES)
