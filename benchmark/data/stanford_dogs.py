"""Stanford Dogs: 120 breeds, official lists of training and test images, a box round every dog.

Boxes are taken as half open, ``xmin <= x < xmax``, and several boxes of an image are united. GrabCut may refine them:
what lies outside of the boxes is background for certain, what lies inside is foreground or not by its colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from scipy.io import loadmat

from benchmark.api import UInt8
from benchmark.data.decode import read_picture, to_channels
from benchmark.data.filed import Record
from benchmark.data.official import AGAIN, OfficialTest, missing, read_text
from benchmark.errors import BenchmarkError, raise_unknown

BREEDS = 120
LISTS = {"train_list.mat": "", "test_list.mat": "test"}
"""Each list of images, and their split; without one, validation images are drawn from them."""


class StanfordDogs(OfficialTest):
    """Photographs of dogs, from ImageNet."""

    class Settings(OfficialTest.Settings):
        """The data set's YAML."""

        breeds: tuple[str, ...] = Field((), description="keep these only, as their folders spell them (default: all)")
        mask: Literal["box", "grabcut"] = Field("box", description="grabcut needs OpenCV: the extra grabcut")
        grabcut_rounds: int = Field(5, ge=1, description="of GrabCut's estimates of colours")
        grabcut_px: int = Field(256, ge=16, description="images are shrunk to this longer side for it: it is slow")

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of both lists, in breeds' folders such as ``n02085620-Chihuahua``.

        Raises:
            BenchmarkError: If a list is missing or damaged, a label is not of its breed, or a wanted breed is unknown.
        """
        if self.settings.mask == "grabcut":
            import_opencv()
        found: dict[str, int] = {}
        records = []
        for name, split in LISTS.items():
            for file, label in read_images(folder, name):
                breed, number = file.split("/")[0].partition("-")[2], found.setdefault(file.split("/")[0], label)
                if not breed or number != label or not 1 <= label <= BREEDS:
                    raise BenchmarkError(
                        f"label of {file} in {name}",
                        got=label,
                        expected=f"{number}, as of other images of its breed" if number != label else f"1 to {BREEDS}",
                        do=AGAIN,
                    )
                records.append(
                    Record(
                        file=f"Images/{file}",
                        label=breed,
                        source="imagenet",
                        split=split,
                        mask=f"Annotation/{file.removesuffix('.jpg')}",
                        mask_kind=self.settings.mask,
                        id=file.removesuffix(".jpg"),
                    )
                )
        if len(set(found.values())) < len(found):
            raise BenchmarkError("labels of the lists", got=found, expected="another number for every breed", do=AGAIN)
        wanted = set(self.settings.breeds)
        known = {record.label for record in records}
        for breed in self.settings.breeds:
            if breed not in known:
                raise_unknown("breed", breed, known)
        return [record for record in records if record.label in (wanted or known)]

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The boxes of the image's annotation, refined if that is wished."""
        mask = box_mask(read_text(folder, record.mask), record.mask, shape)
        if self.settings.mask == "box":
            return mask
        image = to_channels(read_picture(self.opened(folder, record.file), record.file), 3)
        return grabcut(image, mask, self.settings.grabcut_rounds, self.settings.grabcut_px)


def read_images(folder: Path, name: str) -> list[tuple[str, int]]:
    """Files and labels of a list, a MATLAB file of version 5.

    Raises:
        BenchmarkError: If it is missing, damaged, or holds something else.
    """
    if not (folder / name).is_file():
        raise missing(folder, name)
    try:
        content: Mapping[str, Any] = loadmat(folder / name, variable_names=["file_list", "labels"])
        files = [str(cell[0]) for cell in content["file_list"].ravel()]
        labels = [int(value) for value in content["labels"].ravel()]
        return list(zip(files, labels, strict=True))
    except Exception as error:  # on damaged bytes the reader raises whatever its parts do
        raise BenchmarkError(
            f"list {name} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="a MATLAB file with file_list and labels of one length",
            do=AGAIN,
        ) from error


def box_mask(annotation: str, name: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The union of an annotation's boxes, ``[H, W]``, in the image's size; boxes are cut at its border.

    An annotation that states another size than the image has speaks of a scaled image, so its boxes are scaled.

    Args:
        annotation: XML in the form of PASCAL VOC.
        name: Of its file, for errors.
        shape: Height and width of the image.

    Raises:
        BenchmarkError: Naming the file, if it is no such XML or has no box in the image.
    """
    expected = "an annotation in the form of PASCAL VOC, with a box in the image"
    if "<!" in annotation.replace("<!--", ""):  # a document type may define entities that grow without bounds
        raise BenchmarkError(f"annotation {name}", got="a document type", expected=expected, do=AGAIN)
    try:
        tree = ElementTree.fromstring(annotation)  # noqa: S314 - nothing but elements is left
        sides = [float(tree.findtext(f"size/{side}", "0")) for side in ("height", "width")]
        boxes = [
            [float(box.findtext(edge, "")) for edge in ("ymin", "ymax", "xmin", "xmax")]
            for box in tree.iterfind("object/bndbox")
        ]
    except (ElementTree.ParseError, ValueError) as error:
        raise BenchmarkError(f"annotation {name}", got=str(error), expected=expected, do=AGAIN) from error
    scale = [real / told if told > 0 else 1.0 for real, told in zip(shape, sides, strict=True)]
    mask = np.zeros(shape, dtype=bool)
    for top, bottom, left, right in boxes:
        rows = slice(*(round(max(edge, 0) * scale[0]) for edge in (top, bottom)))
        columns = slice(*(round(max(edge, 0) * scale[1]) for edge in (left, right)))
        mask[rows, columns] = True
    if not mask.any():
        raise BenchmarkError(f"annotation {name}", got=f"boxes {boxes}", expected=expected, do=AGAIN)
    return mask


def grabcut(image: UInt8, box: NDArray[np.bool_], rounds: int, longest: int) -> NDArray[np.bool_]:
    """Foreground inside of the boxes, by colour.

    Where the boxes leave no background to learn colours from, or GrabCut finds no foreground, they stay as they are.
    Source: Rother, Kolmogorov and Blake, SIGGRAPH 2004, as OpenCV implements it.

    Args:
        image: ``[H, W, 3]``.
        box: ``[H, W]``.
        rounds: Number of estimates.
        longest: A larger image is shrunk to this longer side, and the mask enlarged again, each to the nearest pixel.
    """
    cv2 = import_opencv()
    scale = min(1.0, longest / max(box.shape))
    size = tuple(max(1, round(side * scale)) for side in box.shape[::-1])
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    inside = np.asarray(Image.fromarray(box).resize(size, Image.Resampling.NEAREST))
    if inside.all() or not inside.any():
        return box
    state = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)  # of the calling thread: colours are first clustered from random centres
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small[..., ::-1].copy(), state, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    found = Image.fromarray(np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD)))
    refined = np.asarray(found.resize(box.shape[::-1], Image.Resampling.NEAREST)) & box
    return refined if refined.any() else box


def import_opencv() -> Any:
    """OpenCV.

    Raises:
        BenchmarkError: If it is not installed, with the extra that brings it.
    """
    try:
        import cv2
    except ImportError as error:
        raise BenchmarkError(
            "mask: grabcut needs OpenCV, which cannot be imported",
            got=str(error),
            expected="the extra grabcut",
            do="pip install 'shortcut-bench[grabcut]', or set mask to box.",
        ) from error
    return cv2
