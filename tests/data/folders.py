"""Folders of small image files with a table, as a user would have them."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = ("file", "label", "source", "split", "patient", "mask")


def row(file: str, label: str = "cat", split: str = "", **more: str) -> dict[str, str]:
    return {"file": file, "label": label, "source": "here", "split": split, "patient": "", "mask": "", **more}


def write_table(folder: Path, rows: Iterable[dict[str, str]], name: str = "index.csv") -> None:
    rows = list(rows)
    with (folder / name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def disc(side: int, radius: float, y: float = 0.5, x: float = 0.5) -> np.ndarray:
    """A round mask ``[side, side]``; place and radius in shares of the side."""
    place = (np.arange(side) + 0.5) / side
    return (place[:, None] - y) ** 2 + (place[None] - x) ** 2 < radius**2


def save(folder: Path, name: str, pixels: np.ndarray, **options: object) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name, **options)
    return name


def smooth(rng: np.random.Generator, side: int, channels: int = 1) -> np.ndarray:
    """A picture with coarse structure, as photographs have: every seed another one."""
    coarse = rng.integers(40, 216, (6, 6, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    return image if channels == 3 else image[..., 0]


def pictures(
    folder: Path,
    count: int,
    *,
    tint: bool = False,
    splits: tuple[str, ...] = ("",),
    side: int = 64,
    shape: bool = False,
) -> list[dict[str, str]]:
    """Writes ``count`` images of two classes in turn, and returns the rows of their table.

    The object is a disc in the middle. ``tint`` brightens the background of class ``dog``, ``shape`` widens its disc.
    """
    rows = []
    for number in range(count):
        rng = np.random.default_rng(number)
        label = ("cat", "dog")[number % 2]
        image = smooth(rng, side).astype(int) // 2 + 60
        mask = disc(side, 0.35 if shape and label == "dog" else 0.25)
        if tint and label == "dog":
            image[~mask] += 25
        rows.append(
            row(
                save(folder, f"images/{number:04d}.png", np.clip(image, 0, 255).astype(np.uint8)),
                label,
                splits[(number // 2) % len(splits)],
                patient=f"p{number}",
                mask=save(folder, f"masks/{number:04d}.png", mask.astype(np.uint8) * 255),
            )
        )
    write_table(folder, rows)
    return rows
