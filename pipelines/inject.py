"""Stage inject: plant a bias into a pack.

Writes data/biased/<dataset>-<bias>/ (pack.h5 with train, val and the test variants; manifest.csv with one row an image)
and a contact sheet of examples per class and variant under results/<suite>/samples/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark import paths, skipped
from benchmark.config import load_bias
from benchmark.data.listing import listing
from benchmark.data.pack import class_names, read_attributes, read_index
from benchmark.data.pack_write import created
from benchmark.data.sheet import draw_sheet, examples
from benchmark.files import atomic_path
from benchmark.inject import inject_pack
from pipelines import program


def inject(arguments: argparse.Namespace) -> None:
    task = f"{arguments.dataset}-{arguments.bias}"
    bias = load_bias(paths.bias_yaml(arguments.bias))
    source, sheet = paths.pack(arguments.dataset), paths.SuitePaths(arguments.suite).sample_sheet(task)
    attributes = read_attributes(source)
    if mark := skipped.in_attributes(attributes):
        pass_on(mark, task, sheet)
        return
    index = read_index(source)
    names = class_names(attributes)
    attributes |= {"bias": arguments.bias, "bias_settings": bias.settings.model_dump_json()}
    with atomic_path(paths.biased(task)) as folder:
        folder.mkdir()
        with listing(folder / "manifest.csv") as look:
            counts = inject_pack(source, index, folder / "pack.h5", bias, attributes, look)
    draw_sheet(sheet, examples(paths.biased_pack(task)), names)
    print(", ".join(f"{name} {count}" for name, count in counts.items()))


def pass_on(mark: skipped.Skipped, task: str, sheet: Path) -> None:
    """What the stage leaves of a data set that is not here."""
    with atomic_path(paths.biased(task)) as folder:
        folder.mkdir()
        (folder / "manifest.csv").touch()
        with created(folder / "pack.h5", mark.attributes()):
            print(mark)
    mark.draw(sheet)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("dataset")
    parser.add_argument("bias")
    parser.add_argument("--suite", default="default")
    program.run(inject, parser)
