"""ImageNet-9 from a tiny archive of its layout: two classes, two photographs each, a mask of a known rectangle."""

import io
import pickle

import numpy as np
import pytest
from archives import fetched, packed, plain, tar

from benchmark.data.imagenet9 import CLASSES, ImageNet9
from benchmark.errors import BenchmarkError

PHOTOGRAPHS = {
    "00_dog": ("n02096051_44543", "n02102973_7"),
    "02_wheeled vehicle": ("n02701002_1", "n02814533_20"),
}
SHOWN = ("original", "mixed_same", "mixed_rand", "mixed_next", "only_fg")
GONE = ("no_fg", "only_bg_b", "only_bg_t")
MIXED = ("mixed_same", "mixed_rand", "mixed_next")


def npy(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def rectangle(number: int):
    """Foreground of the photograph with this number: rows 1 and 2, and as many columns as the number, and one."""
    mask = np.zeros((8, 8), bool)
    mask[1:3, : number + 1] = True
    return mask


def tiny() -> dict[str, bytes]:
    """The release: an image's red is its photograph's number, its green its variant's."""
    files, number = {}, 0
    for home, photographs in PHOTOGRAPHS.items():
        for name in photographs:
            for green, variant in enumerate(SHOWN + GONE):
                file = f"fg_{name}_bg_n09999999_{green}" if variant in MIXED else name
                files[f"bg_challenge/{variant}/val/{home}/{file}.JPEG"] = plain((number, green, 9))
            files[f"bg_challenge/fg_mask/val/{home}/{name}.npy"] = npy(rectangle(number))
            number += 1
    return files


def get(tmp_path, files=None, **changes):
    archive = {"backgrounds_challenge_data.tar.gz": tar(tiny() if files is None else files)}
    changes = {"size": 8, "class_order": [], **changes}
    return fetched(ImageNet9, "imagenet9", archive, tmp_path, **changes)


def test_every_image_is_a_test_image_whose_source_is_its_variant_and_whose_unit_is_its_foreground(tmp_path):
    dataset, raw = get(tmp_path)
    images = packed(dataset, raw)
    assert len(images) == 4 * len(SHOWN)
    assert {str(image.split) for image in images.values()} == {"test"}
    assert {str(image.mask_kind) for image in images.values()} == {"grabcut"}
    names = [name for photographs in PHOTOGRAPHS.values() for name in photographs]
    for image in images.values():
        red, green, _ = image.image[0, 0]
        assert image.unit == names[red]
        assert image.source == SHOWN[green]
        assert int(image.label) == red // 2
        assert np.array_equal(image.mask, rectangle(int(red)))


def test_the_mask_of_a_mixed_image_is_that_of_its_foreground_and_not_of_its_background(tmp_path):
    files = tiny()
    old = "bg_challenge/mixed_rand/val/00_dog/fg_n02096051_44543_bg_n09999999_2.JPEG"
    files[old.replace("n09999999_2", "n02102973_7")] = files.pop(old)
    dataset, raw = get(tmp_path, files)
    image = packed(dataset, raw)["mixed_rand/00/fg_n02096051_44543_bg_n02102973_7"]
    assert image.unit == "n02096051_44543"
    assert np.array_equal(image.mask, rectangle(0))


def test_classes_are_named_without_blanks_and_ordered_as_the_settings_say(tmp_path):
    dataset, raw = get(tmp_path)
    assert dataset.classes(raw) == ("dog", "wheeled_vehicle")
    other = ImageNet9(dataset.settings.model_copy(update={"class_order": ("wheeled_vehicle", "dog")}))
    index = other.index(raw)
    assert {(str(unit), int(label)) for unit, label in zip(index.unit, index.label, strict=True)} == {
        ("n02096051_44543", 1),
        ("n02102973_7", 1),
        ("n02701002_1", 0),
        ("n02814533_20", 0),
    }


def test_an_image_without_its_object_has_a_mask_of_the_place_where_it_was(tmp_path):
    dataset, raw = get(tmp_path, variants=["no_fg", "only_bg_t"])
    images = packed(dataset, raw)
    assert {str(image.source) for image in images.values()} == {"no_fg", "only_bg_t"}
    assert {str(image.mask_kind) for image in images.values()} == {"removed"}
    assert np.array_equal(images["only_bg_t/02/n02814533_20"].mask, rectangle(3))


def test_all_nine_classes_are_known_by_the_number_of_their_folder(tmp_path):
    names = [
        "dog",
        "bird",
        "wheeled_vehicle",
        "reptile",
        "carnivore",
        "insect",
        "musical_instrument",
        "primate",
        "fish",
    ]
    files = {}
    for number, name in enumerate(names):
        home = f"{number:02d}_{name.replace('_', ' ')}"
        files[f"bg_challenge/original/val/{home}/n0000000{number}_1.JPEG"] = plain((number, 0, 0))
        files[f"bg_challenge/fg_mask/val/{home}/n0000000{number}_1.npy"] = npy(rectangle(1))
    dataset, raw = get(tmp_path, files, variants=["original"], class_order=names)
    assert dataset.classes(raw) == tuple(names) == CLASSES
    assert dataset.index(raw).label.tolist() == list(range(9))


# --- what is refused --------------------------------------------------------------------------------


def test_a_foreground_without_a_mask_file_is_named(tmp_path):
    files = tiny()
    del files["bg_challenge/fg_mask/val/00_dog/n02102973_7.npy"]
    dataset, raw = get(tmp_path, files)
    with pytest.raises(BenchmarkError, match=r"files of ImageNet9: 5 missing.*fg_mask/val/00_dog/n02102973_7.npy"):
        dataset.index(raw)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bg_challenge/original/val/09_plant/n00000001_1.JPEG", "09_plant'; expected 00_dog to 08_fish"),
        ("bg_challenge/original/val/dogs/n00000001_1.JPEG", "'dogs'; expected 00_dog to 08_fish"),
        ("bg_challenge/original/val/00_dog/Thumbs.db", "Thumbs.db'; expected ImageNet's name"),
    ],
)
def test_an_unexpected_folder_or_name_is_refused(tmp_path, name, said):
    dataset, raw = get(tmp_path, {**tiny(), name: plain((1, 1, 1))})
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


def test_a_release_of_another_layout_is_refused_with_the_file_that_was_expected(tmp_path):
    files = {name.removeprefix("bg_challenge/"): content for name, content in tiny().items()}
    dataset, raw = get(tmp_path, files)
    with pytest.raises(BenchmarkError, match=r"bg_challenge/original/val/00_dog is not among.*got '.*mixed_next"):
        dataset.index(raw)


def test_a_damaged_image_is_named(tmp_path):
    name = "bg_challenge/original/val/00_dog/n02102973_7.JPEG"
    dataset, raw = get(tmp_path, {**tiny(), name: tiny()[name][:40]})
    with pytest.raises(BenchmarkError, match=r"00_dog/n02102973_7.JPEG cannot be read"):
        packed(dataset, raw)


class Trap:
    """Would run a command if it were unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npy(np.zeros((8, 8, 3))), r"float64 \(8, 8, 3\)"),
        (npy(rectangle(1) * 255), r"expected two axes, values 0 and 1"),
        (npy(rectangle(1))[:-9], "cannot be read"),
        (b"", "cannot be read"),
        (pickle.dumps(Trap()), "cannot be read"),
        (npy(np.array([[Trap()]], dtype=object)), "cannot be read"),
    ],
)
def test_a_mask_that_is_no_array_of_0_and_1_is_refused_and_never_unpickled(tmp_path, content, said):
    name = "bg_challenge/fg_mask/val/00_dog/n02102973_7.npy"
    dataset, raw = get(tmp_path, {**tiny(), name: content})
    with pytest.raises(BenchmarkError, match=rf"mask {name}.*{said}"):
        packed(dataset, raw)
