"""Waterbirds from tiny archives of the layouts of CUB and Places365."""

import numpy as np
import pytest
from archives import fetched, packed, plain, png, shipped, tar
from birds import BIRD, SPECIES, image_name, tiny_birds
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmark.biases.source import Source
from benchmark.data.waterbirds import WATERBIRDS, Waterbirds, is_waterbird
from benchmark.errors import BenchmarkError

CATEGORIES = {
    "/b/bamboo_forest": 36,
    "/f/forest/broadleaf": 150,
    "/l/lake/natural": 205,
    "/o/ocean": 243,
    "/p/pier": 251,
}
LAND, WATER = (36, 150), (205, 243)
PHOTOGRAPHS = 10
"""Of each category; green is the category's number, blue the photograph's."""


def tiny_places() -> dict[str, dict[str, bytes]]:
    codes = list(CATEGORIES.values())
    names = {f"Places365_val_{n:08d}.jpg": codes[n % len(codes)] for n in range(PHOTOGRAPHS * len(codes))}
    lists = {
        "categories_places365.txt": "".join(f"{name} {code}\n" for name, code in CATEGORIES.items()),
        "places365_val.txt": "".join(f"{name} {code}\n" for name, code in names.items()),
        "places365_test.txt": "Places365_test_00000001.jpg\n",
    }
    photographs = {f"val_256/{name}": plain((250, code, n), 8, 8) for n, (name, code) in enumerate(names.items())}
    return {
        "filelist_places365-standard.tar": {name: text.encode() for name, text in lists.items()},
        "val_256.tar": photographs,
    }


def tiny(train: int = 10, test: int = 4) -> dict[str, dict[str, bytes]]:
    return tiny_birds(train, test) | tiny_places()


def get(tmp_path, archives, **changes):
    content = {name: tar(files, "" if name.endswith("tar") else "gz") for name, files in archives.items()}
    return fetched(Waterbirds, "waterbirds", content, tmp_path, **{"size": 8, **changes})


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """120 birds of each species for training and 50 for the test, in empty files, and their index."""
    raw = tmp_path_factory.mktemp("birds")
    for files in tiny(120, 50).values():
        for name, content in files.items():
            (raw / name).parent.mkdir(parents=True, exist_ok=True)
            (raw / name).write_bytes(content if name.endswith(".txt") else b"")
    dataset = shipped(Waterbirds, "waterbirds", "http://127.0.0.1", size=8, unusable_masks="refuse")
    return dataset, raw, dataset.index(raw)


def code_of(image) -> int:
    """The category of an image's background, from its pixels."""
    return int(image.image[0, 0, 1])


def test_every_pixel_is_the_bird_s_or_the_background_s(tmp_path):
    dataset, raw = get(tmp_path, tiny())
    images = packed(dataset, raw)
    assert len(images) == 84
    every = [image_name(home, n) for home in SPECIES.values() for n in range(14)]
    for place, name in enumerate(every):
        image = images[name]
        assert np.array_equal(image.mask, BIRD.astype(np.uint8))
        assert (image.image[BIRD] == (place, 0, 77)).all()
        ground = image.image[~BIRD]
        assert (ground == ground[0]).all()
        assert ground[0, 0] == 250
        assert code_of(image) in (LAND if image.source == "land" else WATER)


def test_water_birds_are_those_of_the_paper_and_no_others(tmp_path):
    dataset, raw = get(tmp_path, tiny())
    index = dataset.index(raw)
    assert dataset.classes(raw) == ("landbird", "waterbird")
    found = {name.split("/")[0] for name in index.id[index.label == 1].tolist()}
    assert found == {SPECIES[k] for k in (1, 106, 86, 146)}


def test_the_authors_letters_find_tern_in_eastern(tmp_path):
    dataset, raw = get(tmp_path, tiny(), species_rule="letters")
    index = dataset.index(raw)
    land = {name.split("/")[0] for name in index.id[index.label == 0].tolist()}
    assert land == {SPECIES[16]}


@pytest.mark.parametrize(
    ("species", "words", "letters"),
    [
        ("Western_Grebe", True, True),
        ("Western_Meadowlark", False, True),
        ("Western_Wood_Pewee", False, True),
        ("Frigatebird", True, True),
        ("Pigeon_Guillemot", True, True),
        ("Pacific_Loon", True, True),
        ("Common_Yellowthroat", False, False),
        ("Belted_Kingfisher", False, False),
    ],
)
def test_a_species_is_compared_by_words_or_letters(species, words, letters):
    assert is_waterbird(species, "words") is words
    assert is_waterbird(species, "letters") is letters


@given(st.sampled_from(WATERBIRDS), st.from_regex(r"[A-Z][a-z]{0,8}", fullmatch=True))
def test_whatever_is_a_water_bird_by_its_words_is_one_by_its_letters(bird, before):
    assert is_waterbird(f"{before}_{bird}", "words")
    assert is_waterbird(f"{before}_{bird}", "letters")


def test_a_bird_is_on_its_own_ground_as_often_as_the_settings_say(many):
    _, _, index = many
    own = np.where(index.label == 1, "water", "land") == index.source
    for split, share in (("train", 0.95), ("val", 0.5), ("test", 0.5)):
        for label in (0, 1):
            rows = (index.split == split) & (index.label == label)
            low, high = binom.interval(1 - 1e-4, int(rows.sum()), share)
            assert low <= own[rows].sum() <= high


def test_a_correlation_of_one_leaves_no_exception(many):
    dataset, raw, _ = many
    settings = dataset.settings.model_copy(update={"correlation": 1.0, "correlation_tests": 0.0})
    index = Waterbirds(settings).index(raw)
    own = np.where(index.label == 1, "water", "land") == index.source
    assert own[index.split == "train"].all()
    assert not own[index.split != "train"].any()


def test_a_fifth_of_the_training_images_is_for_validation_and_the_test_is_official(many):
    _, _, index = many
    counts = {split: int((index.split == split).sum()) for split in ("train", "val", "test")}
    assert counts == {"train": 6 * 96, "val": 6 * 24, "test": 300}
    assert {int(name[-4:]) >= 120 for name in index.id[index.split == "test"]} == {True}


def test_no_background_is_in_two_splits(many):
    dataset, raw, index = many
    records = {record.id: record for record in dataset.records(raw)}
    homes = {}
    for name, split in zip(index.id.tolist(), index.split.tolist(), strict=True):
        homes.setdefault(records[name].extra["background"], set()).add(split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert len(homes) == 4 * PHOTOGRAPHS


def test_a_bird_more_changes_no_other(tmp_path):
    (tmp_path / "few").mkdir()
    (tmp_path / "more").mkdir()
    few, raw_few = get(tmp_path / "few", tiny(10, 4), split={"val": 0, "test": 0})
    more, raw_more = get(tmp_path / "more", tiny(10, 9), split={"val": 0, "test": 0})
    before = {record.id: record for record in few.records(raw_few)}
    after = {record.id: record for record in more.records(raw_more)}
    assert len(after) > len(before)
    assert all(after[name] == record for name, record in before.items())


def test_another_seed_gives_other_backgrounds(many):
    dataset, raw, index = many
    other = Waterbirds(dataset.settings.model_copy(update={"seed": 1})).index(raw)
    assert not np.array_equal(other.source, index.source)
    assert np.array_equal(other.label, index.label)


def test_the_background_s_centre_covers_the_whole_image(tmp_path):
    archives = tiny()
    rows, columns = np.mgrid[:30, :60]
    scene = np.dstack([rows * 8, columns * 4, 0 * rows]).astype(np.uint8)
    for name in archives["val_256.tar"]:
        archives["val_256.tar"][name] = png(scene)
    dataset, raw = get(tmp_path, archives)
    edges = (np.arange(9) * 30 / 8).round().astype(int)
    for image in packed(dataset, raw).values():
        for row, column in np.argwhere(~BIRD).tolist():
            middle = (edges[row] + edges[row + 1] - 1) / 2, 15 + (edges[column] + edges[column + 1] - 1) / 2
            red, green, _ = image.image[row, column].tolist()
            if 0 < row < 7 and 0 < column < 7:  # at the border the filter is cut off
                assert abs(red / 8 - middle[0]) < 1
                assert abs(green / 4 - middle[1]) < 1


def test_the_ground_is_the_source_that_a_natural_bias_reads(many):
    _, _, index = many
    bias = Source(Source.Settings(correlation=0.95, speaks_for={"land": 0, "water": 1}))
    plan = bias.plan(index, 2)
    shown = plan["deceiving"]
    assert len(shown.rows) > 100
    assert (index.source[shown.rows] == np.where(index.label[shown.rows] == 1, "land", "water")).all()


# --- what is refused --------------------------------------------------------------------------------


def test_an_unknown_category_is_refused(tmp_path):
    dataset, raw = get(tmp_path, tiny(), land=["bamboo_forrest"])
    with pytest.raises(BenchmarkError, match=r"unknown category of Places365; got 'bamboo_forrest'.*'bamboo_forest'"):
        dataset.index(raw)


def test_a_missing_photograph_is_named_if_it_is_of_a_wanted_category(tmp_path):
    archives = tiny()
    names = list(archives["val_256.tar"])
    del archives["val_256.tar"][names[4]]  # a pier
    (tmp_path / "pier").mkdir()
    dataset, raw = get(tmp_path / "pier", archives)
    assert len(dataset.index(raw)) == 84
    del archives["val_256.tar"][names[0]]
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=rf"photographs of Places365: 1 missing .*got '{names[0]}'"):
        dataset.index(raw)


def test_a_photograph_that_is_cut_short_is_named(tmp_path):
    archives = tiny()
    for name in archives["val_256.tar"]:
        archives["val_256.tar"][name] = archives["val_256.tar"][name][:40]
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"image val_256/Places365_val_\d{8}.jpg cannot be read"):
        dataset.load(raw)


def test_too_few_photographs_for_a_split_are_refused(tmp_path):
    dataset, raw = get(tmp_path, tiny(), places_split={"val": 0.01, "test": 0.3})
    with pytest.raises(BenchmarkError, match=r"no photograph of land is for val"):
        dataset.index(raw)


def test_a_line_without_a_category_is_named(tmp_path):
    archives = tiny()
    archives["filelist_places365-standard.tar"]["places365_val.txt"] += b"Places365_val_00000099.jpg\n"
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"line 51 of places365_val.txt.*expected 2 fields"):
        dataset.index(raw)


def test_an_archive_of_another_layout_is_refused_with_the_file_that_was_expected(tmp_path):
    archives = tiny()
    archives["filelist_places365-standard.tar"] = {"places365_standard/x": b""}
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"categories_places365.txt is not among the data set's files"):
        dataset.index(raw)


def test_backgrounds_are_not_shared_between_splits(tmp_path):
    with pytest.raises(BenchmarkError, match="val and test must be above 0: backgrounds are not shared"):
        get(tmp_path, tiny(), places_split={"val": 0.1, "test": 0})
