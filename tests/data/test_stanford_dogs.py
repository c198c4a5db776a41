"""Stanford Dogs from a tiny archive of its layout: three breeds, images of 20 x 10 with known boxes."""

import builtins
import io

import numpy as np
import pytest
from archives import fetched, packed, plain, png, tar
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from benchmark.data.stanford_dogs import StanfordDogs, box_mask, grabcut
from benchmark.errors import BenchmarkError

BREEDS = {"n02086079-Pekinese": 4, "n02108551-Tibetan_mastiff": 94, "n02110958-pug": 104}
HEIGHT, WIDTH = 10, 20
BOX = (3, 2, 13, 8)
"""xmin, ymin, xmax, ymax."""


def annotation(boxes=(BOX,), size=(WIDTH, HEIGHT)) -> bytes:
    objects = "".join(
        f"<object><name>dog</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    )
    head = f"<folder>02086079</folder><size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"<annotation>{head}{objects}</annotation>\n".encode()


def matlab(files: list[str], labels: list[int]) -> bytes:
    """A list as the official one is: cells of text, and numbers in a column."""
    out = io.BytesIO()
    cells = np.empty((len(files), 1), dtype=object)
    notes = np.empty((len(files), 1), dtype=object)
    cells[:, 0], notes[:, 0] = files, [name.removesuffix(".jpg") for name in files]
    savemat(out, {"file_list": cells, "annotation_list": notes, "labels": np.array(labels)[:, None]})
    return out.getvalue()


def names(part: str, count: int) -> list[str]:
    return [f"{home}/{home.split('-')[0]}_{part}{n}.jpg" for home in BREEDS for n in range(count)]


def tiny(train: int = 10, test: int = 2) -> dict[str, dict[str, bytes]]:
    """The three archives' files: each image is of one colour, its red being its place in the lists."""
    lists = {"train": names("1", train), "test": names("2", test)}
    everything = [name for part in lists.values() for name in part]
    return {
        "images.tar": {f"Images/{name}": plain((place, 0, 9), HEIGHT, WIDTH) for place, name in enumerate(everything)},
        "annotation.tar": {f"Annotation/{name.removesuffix('.jpg')}": annotation() for name in everything},
        "lists.tar": {
            f"{part}_list.mat": matlab(part_names, [BREEDS[name.split("/")[0]] for name in part_names])
            for part, part_names in {**lists, "file": everything}.items()
        },
    }


def get(tmp_path, archives, **changes):
    """The data set at 20 x 20, images stretched to that: rows come twice."""
    content = {name: tar(files, "") for name, files in archives.items()}
    return fetched(StanfordDogs, "stanford_dogs", content, tmp_path, **{"size": WIDTH, **changes})


def test_labels_splits_units_and_kinds_are_those_of_the_lists(tmp_path):
    dataset, raw = get(tmp_path, tiny())
    images = packed(dataset, raw)
    assert dataset.classes(raw) == ("Pekinese", "Tibetan_mastiff", "pug")
    assert len(images) == 36
    for place, (home, _) in enumerate(BREEDS.items()):
        own = {name: image for name, image in images.items() if name.startswith(home)}
        assert {int(image.label) for image in own.values()} == {place}
        test = {name for name, image in own.items() if image.split == "test"}
        assert test == {f"{home}/{home.split('-')[0]}_2{n}" for n in range(2)}
        assert sorted(str(image.split) for image in own.values() if image.split != "test") == ["train"] * 9 + ["val"]
    assert all(image.unit == image.id and image.source == "imagenet" for image in images.values())
    assert {str(image.mask_kind) for image in images.values()} == {"box"}


def test_the_mask_is_the_box_pixel_by_pixel_and_the_image_its_own(tmp_path):
    dataset, raw = get(tmp_path, tiny())
    images = packed(dataset, raw)
    expected = np.zeros((20, 20), np.uint8)
    expected[4:16, 3:13] = 1  # rows come twice
    for place, name in enumerate([*names("1", 10), *names("2", 2)]):
        image = images[name.removesuffix(".jpg")]
        assert np.array_equal(image.mask, expected)
        assert (image.image == (place, 0, 9)).all()


def test_two_dogs_make_one_mask(tmp_path):
    archives = tiny()
    archives["annotation.tar"]["Annotation/n02110958-pug/n02110958_10"] = annotation([(0, 0, 2, 2), (18, 8, 20, 10)])
    dataset, raw = get(tmp_path, archives)
    expected = np.zeros((20, 20), np.uint8)
    expected[:4, :2] = expected[16:, 18:] = 1
    assert np.array_equal(packed(dataset, raw)["n02110958-pug/n02110958_10"].mask, expected)


def test_an_image_whose_box_is_all_of_it_is_left_out_and_counted(tmp_path):
    archives = tiny()
    archives["annotation.tar"]["Annotation/n02110958-pug/n02110958_10"] = annotation([(0, 0, WIDTH, HEIGHT)])
    dataset, raw = get(tmp_path, archives)
    assert "n02110958-pug/n02110958_10" not in packed(dataset, raw)
    assert dataset.facts(raw)["dropped_unusable_mask"] == 1


def test_some_breeds_may_be_kept_alone(tmp_path):
    dataset, raw = get(tmp_path, tiny(), breeds=["pug", "Pekinese"])
    assert dataset.classes(raw) == ("Pekinese", "pug")
    assert len(dataset.index(raw)) == 24


def test_an_unknown_breed_is_refused_with_the_nearest(tmp_path):
    dataset, raw = get(tmp_path, tiny(), breeds=["Pekingese"])
    with pytest.raises(BenchmarkError, match=r"unknown breed; got 'Pekingese'; expected did you mean 'Pekinese'"):
        dataset.index(raw)


# --- boxes ------------------------------------------------------------------------------------------


def test_a_box_is_cut_at_the_border_of_the_image():
    mask = box_mask(annotation([(-4, 5, 900, 900)]).decode(), "a", (HEIGHT, WIDTH))
    assert mask[5:].all()
    assert not mask[:5].any()


def test_boxes_of_a_scaled_image_are_scaled():
    text = annotation([(20, 40, 40, 80)], size=(2 * WIDTH, 10 * HEIGHT)).decode()
    mask = box_mask(text, "a", (HEIGHT, WIDTH))
    assert np.argwhere(mask).tolist() == [[row, column] for row in range(4, 8) for column in range(10, 20)]


@given(st.lists(st.tuples(*[st.integers(0, 20)] * 4), min_size=1, max_size=4))
def test_the_mask_is_exactly_the_pixels_in_some_box(boxes):
    shape = (12, 15)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside = np.zeros(shape, bool)
    for a, b, c, d in boxes:
        inside |= (rows >= b) & (rows < d) & (columns >= a) & (columns < c)
    text = annotation(boxes, size=shape[::-1]).decode()
    if inside.any():
        assert np.array_equal(box_mask(text, "a", shape), inside)
    else:
        with pytest.raises(BenchmarkError, match="annotation a"):
            box_mask(text, "a", shape)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<annotation><object>", "no element found"),
        ("<annotation/>", r"got 'boxes \[\]'"),
        ("<annotation><object><bndbox><xmin>1</xmin></bndbox></object></annotation>", "could not convert"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "got 'a document type'"),
    ],
)
def test_a_damaged_annotation_is_named(tmp_path, text, said):
    archives = tiny()
    archives["annotation.tar"]["Annotation/n02110958-pug/n02110958_10"] = text.encode()
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=rf"annotation Annotation/n02110958-pug/n02110958_10; .*{said}"):
        dataset.load(raw)


# --- GrabCut ----------------------------------------------------------------------------------------


def red_disc() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red disc on green, with a little noise, the box round it, and the disc."""
    rows, columns = np.mgrid[:60, :80]
    disc = (rows - 30) ** 2 + (columns - 40) ** 2 < 18**2
    image = np.where(disc[..., None], (200, 30, 30), (30, 160, 60))
    image = image + np.random.default_rng(0).integers(0, 12, image.shape)
    box = np.zeros((60, 80), bool)
    box[8:52, 18:62] = True
    return image.astype(np.uint8), box, disc


def test_grabcut_finds_a_disc_in_its_box():
    image, box, disc = red_disc()
    found = grabcut(image, box, 5, 256)
    assert (found != disc).mean() < 0.005
    assert (box != disc).mean() > 0.15
    assert np.array_equal(grabcut(image, box, 5, 256), found)


def test_grabcut_keeps_a_box_that_leaves_no_background_or_has_one_colour():
    image, box, _ = red_disc()
    assert grabcut(image, np.ones_like(box), 5, 256).all()
    found = grabcut(np.full_like(image, 90), box, 5, 256)
    assert found.any()
    assert not (found & ~box).any()


def test_grabcut_of_a_shrunken_image_gives_nearly_the_same():
    image, box, disc = red_disc()
    found = grabcut(image, box, 5, 40)
    assert found.shape == (60, 80)
    assert (found != disc).mean() < 0.03
    assert not (found & ~box).any()


def test_refined_masks_are_called_so(tmp_path):
    image, _, disc = red_disc()
    archives = tiny(2, 1)
    for name in archives["images.tar"]:
        archives["images.tar"][name] = png(image)
    for name in archives["annotation.tar"]:
        archives["annotation.tar"][name] = annotation([(18, 8, 62, 52)], size=(80, 60))
    dataset, raw = get(tmp_path, archives, mask="grabcut", size=60, fit="crop", split={"val": 0.5, "test": 0})
    some = next(iter(packed(dataset, raw).values()))
    assert some.mask_kind == "grabcut"
    assert (some.mask != disc[:, 10:70]).mean() < 0.005


def test_grabcut_without_opencv_names_the_extra(tmp_path, monkeypatch):
    dataset, raw = get(tmp_path, tiny(), mask="grabcut")
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "cv2":
            raise ImportError("No module named 'cv2'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BenchmarkError, match=r"grabcut needs OpenCV.*shortcut-bench\[grabcut\]"):
        dataset.index(raw)


# --- what is refused --------------------------------------------------------------------------------


def test_a_listed_image_that_is_missing_is_named(tmp_path):
    archives = tiny()
    del archives["images.tar"]["Images/n02110958-pug/n02110958_13.jpg"]
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"1 missing .*got 'Images/n02110958-pug/n02110958_13.jpg'"):
        dataset.index(raw)


def test_a_listed_annotation_that_is_missing_is_named(tmp_path):
    archives = tiny()
    del archives["annotation.tar"]["Annotation/n02110958-pug/n02110958_13"]
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"1 missing .*got 'Annotation/n02110958-pug/n02110958_13'"):
        dataset.index(raw)


def test_an_image_that_is_cut_short_is_named(tmp_path):
    archives = tiny()
    name = "Images/n02110958-pug/n02110958_13.jpg"
    archives["images.tar"][name] = archives["images.tar"][name][:-30]
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=rf"image {name} cannot be read"):
        dataset.load(raw)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([4, 94, 104, 104], r"got 104; expected 94"),
        ([4, 94, 121, 94], r"n02110958-pug/c.jpg in test_list.mat; got 121; expected 1 to 120"),
        ([4, 94, 94, 94], r"labels of the lists; .*expected another number for every breed"),
    ],
)
def test_a_label_that_is_not_of_its_breed_is_refused(tmp_path, labels, said):
    first, second, third = BREEDS
    files = [f"{first}/a.jpg", f"{second}/b.jpg", f"{third}/c.jpg", f"{second}/d.jpg"]
    archives = tiny()
    archives["lists.tar"]["test_list.mat"] = matlab(files, labels)
    archives["lists.tar"]["train_list.mat"] = matlab([f"{first}/e.jpg"], [4])
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=said):
        dataset.index(raw)


def test_a_list_that_is_no_matlab_file_is_named(tmp_path):
    archives = tiny()
    archives["lists.tar"]["test_list.mat"] = b"not found"
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"list test_list.mat cannot be read"):
        dataset.index(raw)


def test_an_archive_of_another_layout_is_refused_with_the_file_that_was_expected(tmp_path):
    archives = tiny()
    archives["lists.tar"] = {f"lists/{name}": content for name, content in archives["lists.tar"].items()}
    dataset, raw = get(tmp_path, archives)
    with pytest.raises(BenchmarkError, match=r"train_list.mat is not among the data set's files; got '.*lists"):
        dataset.index(raw)
