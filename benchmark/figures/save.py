"""How a figure becomes a file: small, with its title, and with equal bytes for equal figures."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from benchmark.figures.style import DPI, PAPER, drawing
from benchmark.files import atomic_path, write_text

LARGEST = 300_000
"""Bytes of a PNG file."""


def save_svg(figure: Figure, path: Path, title: str) -> None:
    """Writes an SVG file, atomically, with its title for those who do not see it; equal figures give equal bytes."""
    stream = io.StringIO()
    with drawing(path.name):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    write_text(path, compact(stream.getvalue(), path.name))


UNUSED = re.compile(r' id="[A-Za-z0-9.]+_\d+"| transform="rotate\(-0 [^"]*"')
"""Names of groups, which nothing refers to and which clash where a page holds two figures; and turns by nothing."""
PLACES = re.compile(r' (d|x|y|width|height|transform)="[^"]*"')
LONG = re.compile(r"-?\d+\.\d{3,}")
STYLE = re.compile(r' style="([^"]*)"')


def compact(svg: str, name: str) -> str:
    """The same picture in about half the bytes: styles told once, coordinates to a hundredth of a point."""
    classes: dict[str, str] = {}
    prefix = "f" + hashlib.sha256(name.encode()).hexdigest()[:5]

    def told(match: re.Match[str]) -> str:
        return f' class="{classes.setdefault(match[1], f"{prefix}-{len(classes)}")}"'

    def short(match: re.Match[str]) -> str:
        return LONG.sub(lambda number: f"{round(float(number[0]), 2) + 0:.10g}", match[0])

    head, end, body = svg.partition("</style>")
    body = PLACES.sub(short, STYLE.sub(told, UNUSED.sub("", body)))
    rules = "".join(f".{label}{{{style}}}" for style, label in classes.items())
    lines = f"{head}{rules}{end}{body}".replace("<svg ", '<svg role="img" ', 1).splitlines()
    return "\n".join(_without_empty_groups(line.strip() for line in lines)) + "\n"


def _without_empty_groups(lines: Iterable[str]) -> Iterator[str]:
    """Leaves out groups that say nothing of what they hold."""
    kept: list[bool] = []
    for line in lines:
        if line == "<g/>" or not line:
            continue
        if line.startswith(("<g>", "<g ")) and not line.endswith("/>"):
            kept.append(line != "<g>")
        if line != "<g>" and not (line == "</g>" and not kept.pop()):
            yield line


def save_png(figure: Figure, path: Path, dpi: int) -> None:
    """Writes a PNG file, atomically; equal figures give equal bytes.

    One that would be larger than :data:`LARGEST` has 256 colours, and then fewer and fewer pixels.
    """
    content = _png(figure, path.name, dpi, few=False)
    while len(content) > LARGEST and dpi > DPI:
        content = _png(figure, path.name, dpi, few=True)
        dpi = dpi * 5 // 6
    with atomic_path(path) as fresh:
        fresh.write_bytes(content)


def _png(figure: Figure, name: str, dpi: int, *, few: bool) -> bytes:
    stream, packed = io.BytesIO(), io.BytesIO()
    with drawing(name):
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    drawn = Image.open(stream).convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", drawn.size, PAPER), drawn).convert("RGB")
    if few:
        picture = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    picture.save(packed, format="PNG", optimize=True)
    return packed.getvalue()
