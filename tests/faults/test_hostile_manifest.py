"""A user's table that leads elsewhere, lies about its images or names no class: one error each, and no harm."""

import csv
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from benchmark.data.manifest import Manifest
from benchmark.errors import BenchmarkError

SPLITS = ("train", "train", "train", "val", "test")
COLUMNS = ("file", "label", "source", "split", "patient", "mask")
Rows = list[dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHORTCUT_BENCH_DATA", str(tmp_path / "root"))
    where = tmp_path / "root" / "mine"
    where.mkdir(parents=True)
    Image.new("L", (32, 32), 90).save(tmp_path / "root" / "secret.png")
    return where


def rows_in(folder: Path) -> Rows:
    """Ten images with masks, and the rows of their table."""
    mask = Image.new("L", (32, 32))
    mask.paste(255, (8, 8, 24, 24))
    rows = []
    for number in range(10):
        names = f"{number}.png", f"{number}-mask.png"
        Image.new("L", (32, 32), 20 * number).save(folder / names[0])
        mask.save(folder / names[1])
        values = names[0], ("cat", "dog")[number % 2], "here", SPLITS[number // 2], f"p{number}", names[1]
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def load(folder: Path, rows: Rows) -> tuple[str, ...]:
    """Fetches and decodes; the classes."""
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    raw = folder.parent.parent / "raw"
    raw.mkdir()
    dataset = Manifest(Manifest.Settings(folder="mine", size=32, channels=1))
    dataset.fetch(raw)
    dataset.load(raw)
    return dataset.classes(raw)


def test_the_images_that_the_faults_are_put_into_are_sound(folder: Path) -> None:
    assert load(folder, rows_in(folder)) == ("cat", "dog")


NAMES = (
    *("../secret.png", "/etc/hostname", "a/../../secret.png", "C:/secret.png", "a\\b.png"),
    *("./0.png", "a//0.png", "\x1b[31m.png"),
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("column", ["file", "mask"])
def test_a_name_that_is_not_plainly_below_the_folder_is_refused(folder: Path, column: str, name: str) -> None:
    rows = rows_in(folder)
    rows[0][column] = name
    with pytest.raises(BenchmarkError) as caught:
        load(folder, rows)
    assert "\x1b" not in str(caught.value)


def link_out(folder: Path) -> str:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    return "link.png"


def folder_out(folder: Path) -> str:
    (folder / "out").symlink_to(folder.parent)
    return "out/secret.png"


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe.png")
    return "pipe.png"


def link_to_a_pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    (folder / "link.png").symlink_to("pipe")
    return "link.png"


def a_folder(folder: Path) -> str:
    (folder / "a.png").mkdir()
    return "a.png"


@pytest.mark.parametrize("make", [link_out, folder_out, pipe, link_to_a_pipe, a_folder], ids=lambda make: make.__name__)
def test_what_is_no_file_of_the_folder_is_never_opened(folder: Path, make: Callable[[Path], str]) -> None:
    rows = rows_in(folder)
    rows[0]["file"] = make(folder)
    with pytest.raises(BenchmarkError, match="files of the table"):
        load(folder, rows)


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG of 8-bit grey whose header says what it likes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(content)), (b"IEND", b"")
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def contents() -> Iterator[tuple[str, bytes]]:
    yield "header beyond all memory", png(2**31 - 1, 2**31 - 1)
    yield "bomb", png(20_000, 20_000, bytes(20_001 * 1000))
    yield "just too large", png(9_460, 9_460)
    yield "less than its header says", png(9_000, 9_000)
    yield "no width", png(0, 10)
    yield "empty", b""
    yield "text", b"hello"
    yield "program", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(("kind", "content"), contents(), ids=[kind for kind, _ in contents()])
def test_a_hostile_image_is_one_error_with_its_name(folder: Path, kind: str, content: bytes) -> None:
    rows = rows_in(folder)
    (folder / rows[3]["file"]).write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"image 3\.png (is huge|cannot be read)"):
        load(folder, rows)


@pytest.mark.parametrize("label", ["nan", "NaN", "<NA>", "", " ", "\x1b[2J", "a\nb", "x" * 2000, "x" * 200_000])
def test_a_label_that_is_none_or_cannot_be_shown_is_refused(folder: Path, label: str) -> None:
    rows = rows_in(folder)
    rows[0]["label"] = label
    with pytest.raises(BenchmarkError, match=r"index\.csv") as caught:
        load(folder, rows)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()
