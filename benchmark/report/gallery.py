"""The pictures of a task: the contact sheet of the planted bias, and the same test images under every explainer."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError
from benchmark.report.heatmap import background_share, outline, photo, relevance
from benchmark.report.numbers import fraction
from benchmark.report.png import SIGNATURE, data_uri, size
from benchmark.report.records import Task
from benchmark.report.words import EXPLAINERS, explainer_words, in_order

HEAT = "heatmap/"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Sheet:
    """The contact sheet with its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Photo:
    """One test image with the outline of its mask."""

    uri: str
    outline: str
    id: str
    label: int
    variant: str


@dataclass(frozen=True)
class Tile:
    """One heatmap; ``uri`` is ``None`` where the map has no relevance to show."""

    uri: str | None
    alt: str
    predicted: int
    right: bool
    outside: str


@dataclass(frozen=True)
class Strip:
    """The heatmaps of one method by one explainer, or the reason why there are none."""

    method: str
    through: bool
    tiles: list[Tile]
    reason: str = ""


@dataclass(frozen=True)
class Gallery:
    """Test images, each a row of the page, and strips by explainer, each a column."""

    photos: list[Photo]
    explainers: dict[str, list[Strip]]


def read_sheet(folder: Path, task: Task) -> Sheet | None:
    """The contact sheet, or ``None`` where the file is absent.

    Raises:
        BenchmarkError: If the file is no PNG image.
    """
    path = folder / "samples" / f"{task.key}.png"
    if not path.exists():
        return None
    content = path.read_bytes()
    if not content.startswith(SIGNATURE) or len(content) < 33:
        raise BenchmarkError(f"contact sheet {path.name} is no PNG image", do="Run the pipeline again.")
    return Sheet(data_uri(content), *size(content))


def read_gallery(folder: Path, task: Task) -> Gallery | None:
    """The heatmaps of a task, or ``None`` where no method has a file.

    Raises:
        BenchmarkError: If a file is broken, lacks an array, or shows other images than the others do.
    """
    found = {run.cell.method: folder / "gallery" / f"{run.cell.key}.npz" for run in task.runs}
    files = {method: _arrays(path) for method, path in found.items() if path.exists()}
    if not files:
        return None
    first_name, first = next(iter(files.items()))
    for method, arrays in files.items():
        for name in ("id", "label", "variant", "mask", "image"):
            if not np.array_equal(arrays[name], first[name]):
                raise BenchmarkError(
                    f"gallery of {task.key}: {name!r} of method {method!r} differs from that of {first_name!r}",
                    expected="the same test images for every method",
                    do="Score the methods again.",
                )
    explainers = {key.removeprefix(HEAT) for arrays in files.values() for key in arrays if key.startswith(HEAT)}
    photos = [
        Photo(photo(image), outline(mask), str(name), int(label), str(variant))
        for image, mask, name, label, variant in zip(
            *(first[name] for name in ("image", "mask", "id", "label", "variant")), strict=True
        )
    ]
    strips = {
        name: [_strip(task, files, method, name) for method in task.methods]
        for name in in_order(explainers, EXPLAINERS)
    }
    return Gallery(photos, strips)


def _strip(task: Task, files: dict[str, Arrays], method: str, explainer: str) -> Strip:
    run = next(run for run in task.runs if run.cell.method == method)
    through = run.trained_through == explainer
    if method not in files:
        return Strip(method, through, [], f"gallery/{run.cell.key}.npz is missing")
    arrays = files[method]
    if HEAT + explainer not in arrays:
        return Strip(method, through, [], f"{run.cell.key}.npz holds no maps of {explainer_words(explainer)}")
    if explainer in run.not_defined and not np.isfinite(arrays[HEAT + explainer]).any():
        return Strip(method, through, [], run.not_defined[explainer].partition(". ")[0])
    return Strip(method, through, [_tile(arrays, i, method, explainer) for i in range(len(arrays["label"]))])


def _tile(arrays: Arrays, i: int, method: str, explainer: str) -> Tile:
    heat, mask = arrays[HEAT + explainer][i], arrays["mask"][i]
    label, predicted = int(arrays["label"][i]), int(arrays["prediction"][i])
    share = background_share(heat, mask)
    outside = "no share" if share is None else fraction(share)[:-1]
    alt = f"{method}, {explainer_words(explainer)}, {arrays['id'][i]}: class {label}, predicted {predicted}; "
    alt += (
        "share outside the mask not defined" if share is None else f"{outside} of the relevance lies outside the mask"
    )
    return Tile(relevance(heat), alt, predicted, label == predicted, outside)


def _arrays(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise BenchmarkError(f"gallery file {path.name} cannot be read", got=str(error)) from error
    for name in ("image", "mask", "label", "id", "prediction", "variant"):
        if name not in arrays:
            raise BenchmarkError(f"gallery file {path.name} lacks {name!r}", got=sorted(arrays))
    shape = arrays["mask"].shape
    if len(shape) != 3 or arrays["image"].ndim != 4 or arrays["image"].shape[-1] not in (1, 3) or not shape[0]:
        raise BenchmarkError(
            f"gallery file {path.name}",
            got=f"image {arrays['image'].shape}, mask {shape}",
            expected="image [M, H, W, 1 or 3] and mask [M, H, W] with M > 0",
        )
    for name, kinds in (("label", "iu"), ("prediction", "iu"), ("image", "u"), ("mask", "ub")):
        if arrays[name].dtype.kind not in kinds:
            raise BenchmarkError(f"gallery file {path.name}: type of {name!r}", got=str(arrays[name].dtype))
    for name, array in arrays.items():
        want = shape if name.startswith(HEAT) else shape[:1]
        if array.shape[: len(want)] != want or (name == "image" and array.shape[:3] != shape):
            raise BenchmarkError(f"gallery file {path.name}: shape of {name!r}", got=array.shape, expected=str(want))
    return arrays
