"""What the base of all file data sets does with records: squares, channels, splits, masks, and refusals."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from folders import disc, save, smooth
from PIL import Image

from benchmark.data.decode import fit_image, fit_mask, read_picture
from benchmark.data.filed import ImageFiles, Record
from benchmark.data.inside import Inside
from benchmark.data.rules import check_index, check_pixels, check_units
from benchmark.errors import BenchmarkError

RNG = np.random.default_rng(0)


class Toy(ImageFiles):
    """Records that a test gives it."""

    def fetch(self, folder: Path) -> None:
        pass

    def records(self, folder: Path) -> list[Record]:
        return self.given


def toy(records: list[Record], **settings: object) -> Toy:
    made = Toy(Toy.Settings(**{"size": 16, "channels": 1, **settings}))
    made.given = records
    return made


def made(folder: Path, count: int = 30, side: int = 20, **more: str) -> list[Record]:
    mask = save(folder, "mask.png", disc(side, 0.3).astype(np.uint8) * 255)
    return [
        Record(save(folder, f"{n:02d}.png", smooth(RNG, side)), "ab"[n % 2], "here", **{"mask": mask, **more})
        for n in range(count)
    ]


def test_images_come_in_one_order_whatever_order_they_are_listed_in(tmp_path: Path) -> None:
    records = made(tmp_path)
    one, other = toy(records), toy(records[::-1])
    first, second = one.load(tmp_path), other.load(tmp_path)
    for name, values in first.columns().items():
        assert np.array_equal(values, getattr(second, name)), name
    assert first.id.tolist() == sorted(first.id.tolist())
    check_index(first, "toy")
    check_units(first, "toy")
    check_pixels(first.image, first.mask, first.id, "toy")
    assert set(first.mask_kind.tolist()) == {"given"}


def test_rows_are_read_alone_as_among_all(tmp_path: Path) -> None:
    dataset = toy(made(tmp_path))
    index = dataset.index(tmp_path)
    everything, masks = dataset.pixels(tmp_path, index, np.arange(len(index)))
    some, some_masks = dataset.pixels(tmp_path, index, np.array([7, 2]))
    assert np.array_equal(some, everything[[7, 2]])
    assert np.array_equal(some_masks, masks[[7, 2]])


def test_pixels_of_the_packs_size_keep_every_bit(tmp_path: Path) -> None:
    image = RNG.integers(0, 256, (16, 16), dtype=np.uint8)
    record = Record(
        save(tmp_path, "a.png", image), "a", "here", mask=save(tmp_path, "m.png", np.eye(16, dtype=np.uint8) * 255)
    )
    dataset = toy([record])
    assert np.array_equal(fit_image(read_picture(tmp_path / "a.png"), 16, "crop")[..., 0], image)
    assert np.array_equal(dataset.fitted_mask(tmp_path, record, (16, 16)), np.eye(16))


def test_crop_takes_the_centre_and_stretch_takes_all() -> None:
    wide = np.zeros((10, 30, 1), np.uint8)
    wide[:, 10:20] = 200
    assert (fit_image(wide, 10, "crop") == 200).all()
    stretched = fit_image(wide, 10, "stretch")[..., 0]
    assert (stretched[:, 0] == 0).all()
    assert (stretched[:, 4:6] == 200).all()
    assert fit_mask(wide[..., 0] > 0, 10, "crop").all()
    assert fit_mask(wide[..., 0] > 0, 10, "stretch").mean() == pytest.approx(1 / 3, abs=0.1)


def test_halving_an_image_agrees_with_a_second_library() -> None:
    # OpenCV's INTER_AREA averages 2 x 2 pixels; an antialiased bilinear filter spans 4: they agree on smooth pictures
    image = smooth(np.random.default_rng(1), 64)
    ours = fit_image(image[..., None], 32, "stretch")[..., 0].astype(int)
    theirs = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(ours - theirs)[2:-2, 2:-2].max() <= 3


def test_grey_from_colour_is_the_standard_luma_and_back_it_is_repeated(tmp_path: Path) -> None:
    colour = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    mask = save(tmp_path, "m.png", disc(16, 0.3).astype(np.uint8) * 255)
    records = [
        Record(save(tmp_path, f"{n}.png", colour), "a", "here", split, mask=mask)
        for n, split in enumerate(("train", "val", "test"))
    ]
    grey = toy(records).load(tmp_path).image[0, ..., 0].astype(float)
    assert np.abs(grey - colour @ [0.299, 0.587, 0.114]).max() <= 1  # ITU-R BT.601
    assert np.array_equal(toy(records, channels=3).load(tmp_path).image[0], colour)


def test_the_exif_tag_turns_an_image(tmp_path: Path) -> None:
    image = Image.fromarray(RNG.integers(0, 256, (8, 12), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png")[..., 0], np.rot90(np.asarray(image), -1))
    record = Record("a.png", "a", "here")
    assert toy([record]).image_shape(tmp_path, record) == (12, 8)


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    wide = RNG.integers(0, 2**16, (8, 8), dtype=np.uint16)
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png")[..., 0], wide // 256)


def test_a_cut_a_false_and_a_missing_image_are_named(tmp_path: Path) -> None:
    save(tmp_path, "good.jpg", RNG.integers(0, 256, (64, 64), dtype=np.uint8))
    content = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "page.png").write_text("<html>Not found</html>")
    for name in ("cut.jpg", "page.png"):
        with pytest.raises(BenchmarkError, match=f"image .*{name} cannot be read"):
            read_picture(tmp_path / name)
    with pytest.raises(BenchmarkError, match=r"gone\.png is missing"):
        read_picture(tmp_path / "gone.png")


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    Image.new("1", (12_000, 12_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 50_000
    with pytest.raises(BenchmarkError, match=r"bomb\.png"), pytest.warns(Image.DecompressionBombWarning):
        read_picture(tmp_path / "bomb.png")


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    records = made(tmp_path, side=20)
    save(tmp_path, "mask.png", disc(10, 0.3).astype(np.uint8) * 255)
    with pytest.raises(BenchmarkError, match=r"mask\.png has another size than its image; got \(10, 10\)"):
        toy(records).load(tmp_path)


def test_a_mask_of_zeros_and_ones_is_told_from_an_empty_one(tmp_path: Path) -> None:
    records = made(tmp_path)
    save(tmp_path, "mask.png", disc(20, 0.3).astype(np.uint8))
    with pytest.raises(BenchmarkError, match="Multiply it by 255"):
        toy(records).load(tmp_path)


def test_missing_masks_stop_or_are_dropped_and_counted(tmp_path: Path) -> None:
    records = made(tmp_path)
    records[3] = Record(records[3].file, "b", "here")
    with pytest.raises(BenchmarkError, match=r"1 of 30 images have no mask; got '03\.png'"):
        toy(records).index(tmp_path)
    dataset = toy(records, missing_masks="drop")
    assert "03" not in dataset.index(tmp_path).id
    assert dataset.facts(tmp_path)["dropped_without_mask"] == 1


def test_empty_and_full_masks_are_dropped_only_where_the_settings_say_so(tmp_path: Path) -> None:
    records = made(tmp_path)
    for row, value in ((4, 0), (5, 255)):
        mask = save(tmp_path, f"bad{row}.png", np.full((20, 20), value, np.uint8))
        records[row] = Record(records[row].file, records[row].label, "here", mask=mask)
    dataset = toy(records, unusable_masks="drop")
    assert len(dataset.index(tmp_path)) == 28
    assert dataset.facts(tmp_path)["dropped_unusable_mask"] == 2
    kept = toy(records).load(tmp_path)
    with pytest.raises(BenchmarkError, match="mask of image '04'"):
        check_pixels(kept.image, kept.mask, kept.id, "toy")


def test_a_limit_keeps_the_same_images_when_others_join(tmp_path: Path) -> None:
    records = made(tmp_path, 60)
    splits = ("train", "train", "val", "test")
    records = [Record(r.file, r.label, r.source, splits[n // 2 % 4], mask=r.mask) for n, r in enumerate(records)]
    some = toy(records[:40], limit=3).index(tmp_path)
    more = toy(records, limit=3).index(tmp_path)
    for split in ("train", "val", "test"):
        for label in (0, 1):
            assert ((some.split == split) & (some.label == label)).sum() == 3
    early = {f"{n:02d}" for n in range(40)}
    assert set(more.id.tolist()) & early <= set(some.id.tolist())


def test_the_order_of_the_classes_is_the_settings(tmp_path: Path) -> None:
    records = made(tmp_path)
    assert toy(records).classes(tmp_path) == ("a", "b")
    turned = toy(records, class_order=("b", "a"))
    assert turned.classes(tmp_path) == ("b", "a")
    assert np.array_equal(turned.index(tmp_path).label, 1 - toy(records).index(tmp_path).label)
    with pytest.raises(BenchmarkError, match="class_order of Toy"):
        toy(records, class_order=("a", "c")).index(tmp_path)


def test_a_class_that_is_never_trained_is_refused(tmp_path: Path) -> None:
    records = made(tmp_path)
    records[0] = Record(records[0].file, "other", "there", "external", mask="mask.png")
    with pytest.raises(BenchmarkError, match="class 'other' of Toy is not among the training images"):
        toy(records).index(tmp_path)


def test_a_data_set_without_test_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no images for test"):
        toy(made(tmp_path), split={"test": 0}).index(tmp_path)


@pytest.mark.parametrize("name", ["../out.png", "/etc/passwd", "a/../../out.png", "a\\b.png", "C:/a.png", "a\nb.png"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BenchmarkError, match="a path below the folder"):
        Inside(tmp_path).missing([name], "file")


def test_links_that_lead_out_are_refused_and_links_within_are_not(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "out" / "secret.png").write_text("")
    (tmp_path / "in" / "own.png").write_text("")
    (tmp_path / "in" / "alias.png").symlink_to("own.png")
    (tmp_path / "in" / "file.png").symlink_to("../out/secret.png")
    (tmp_path / "in" / "folder").symlink_to("../out")
    assert Inside(tmp_path / "in").missing(["own.png", "alias.png", "gone.png"], "file") == ["gone.png"]
    for name in ("file.png", "folder/secret.png"):
        with pytest.raises(BenchmarkError, match="links may not lead out"):
            Inside(tmp_path / "in").missing([name], "file")


def test_missing_files_are_counted_and_the_first_ten_named(tmp_path: Path) -> None:
    names = [f"gone/{n:02d}.png" for n in range(14)]
    with pytest.raises(BenchmarkError, match=r"14 missing .*gone/09\.png and 4 more"):
        Inside(tmp_path).require(names, "files", do="Look.")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "lists no images"),
        ([Record("a.png", "", "here")], "label of 'a.png'"),
        ([Record("a.png", "x", " ")], "source of 'a.png'"),
        ([Record("a.png", "x", "here"), Record("a.png", "x", "here", id="b")], "file in Toy; got 'a.png comes 2 times"),
        ([Record("a.png", "x", "here"), Record("a.jpg", "x", "here")], "id in Toy; got 'a comes 2 times"),
    ],
)
def test_records_that_make_no_data_set_are_refused(tmp_path: Path, records: list[Record], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        toy(records).index(tmp_path)
