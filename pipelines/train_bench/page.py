"""The tables of docs/speed.md, made of results/train/bench.csv: ``python -m pipelines.train_bench.page``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark import paths
from benchmark.errors import BenchmarkError
from benchmark.files import write_text
from pipelines.train_bench.peers import CITED
from pipelines.train_bench.rows import Interval, Row, intervals, read

PAGE, TABLE = Path("docs/speed.md"), paths.RESULTS / "train" / "bench.csv"
BEGIN, END = "<!-- made by pipelines.train_bench.page -->", "<!-- end -->"

HEAD = (
    "| method | images/s | ÷ bare | cost, plain steps | authors' step, here | authors' code, cited | ÷ authors' step |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)
WAYS = {
    "fit_to_bare_no_shift": "the loop without augmentation ÷ bare",
    "fit_to_bare_no_fill": "the loop without filled memory ÷ bare",
    "channels_last_gain": "channels-last ÷ contiguous",
    "bf16_gain": "bfloat16 ÷ float32",
    "compiled_gain": "torch.compile ÷ eager",
    "compile_seconds": "seconds that compiling takes",
    "seeds_3_gain": "3 seeds together ÷ one process a seed",
    "seeds_8_gain": "8 seeds together ÷ one process a seed",
    "gpu_utilisation": "GPU utilisation",
}
Place = tuple[str, int, int, str, int]
Found = dict[tuple[str, str], Interval]


def places(rows: Iterable[Row]) -> dict[Place, Found]:
    """Backbone, side, batch, device and threads to what was found there, by method and quantity."""
    found: dict[Place, Found] = {}
    for row, interval in intervals(rows).items():
        found.setdefault(row.place[1:], {})[row.method, row.quantity] = interval
    return dict(
        sorted(found.items(), key=lambda item: (item[0][3], item[0][1], item[0][2], item[0][0] != "test_resnet"))
    )


def number(found: Interval | None, digits: int = 2) -> str:
    """Value with its interval; nothing where nothing was found."""
    if found is None or math.isnan(found[0]):
        return ""
    value, low, high = (f"{each:.{digits}f}" for each in found)
    return value if math.isnan(found[1]) else f"{value} [{low}, {high}]"


def tables(rows: Iterable[Row]) -> Iterator[str]:
    """The page's lines."""
    of = places(rows)
    for place, found in of.items():
        backbone, px, batch, device, threads = place
        cited = CITED.get((backbone, px, batch), {})
        yield from (
            f"**{backbone}**, {px} px, batch {batch}, {device}, {threads} thread{'s' * (threads > 1)}",
            "",
            *HEAD,
        )
        methods = [method for method, quantity in found if quantity == "images_per_s"]
        for method in sorted(methods, key=lambda name: (name != "erm", name)):
            cells = (
                number(found.get((method, "images_per_s")), 0),
                number(found.get((method, "fit_to_bare")), 3),
                number(found.get((method, "step_ratio"))),
                number(found.get((method, "authors_step_ratio"))),
                str(cited.get(method, "")),
                number(found.get((method, "fit_to_authors"))),
            )
            yield f"| `{method}` | {' | '.join(cells)} |"
        yield ""
    names = [name for name in WAYS if any(quantity == name for found in of.values() for _, quantity in found)]
    if names:
        yield from (
            f"| `erm` | {' | '.join(f'{place[0]}, {place[1]} px' for place in of)} |",
            "| --- |" + " --- |" * len(of),
        )
    for name in names:
        digits = 0 if name == "compile_seconds" else 3
        yield f"| {WAYS[name]} | {' | '.join(number(found.get(('erm', name)), digits) for found in of.values())} |"


def refresh(rows: Iterable[Row], page: Path = PAGE) -> None:
    """Puts the tables in their place on the page.

    Raises:
        BenchmarkError: If the page has no such place.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise BenchmarkError(f"{page} has no place for its tables", expected=f"{BEGIN} and {END}", do="Put them back.")
    before, rest = text.split(BEGIN, 1)
    lines = "\n".join(tables(rows)).strip()
    write_text(page, f"{before}{BEGIN}\n\n{lines}\n\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    refresh(read(TABLE))
