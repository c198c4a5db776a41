"""Shows a bias on images of a data set, at once: no stage has to run.

The first row shows images as they are, the next their marks as in training, then a deceiving mark each, and the last
one image under every mark. Settings come from the bias's YAML, where it has one, and from the options; --set gives any
other:

    python -m benchmark preview mnist5k corner --strength 0.3 --size 0.15
    python -m benchmark preview tb stamp --set jitter=0.1

Images come from the data set's pack, else from its raw files. The picture is saved, and opened where there is a screen.
"""

from __future__ import annotations

import argparse
import os
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.errors import BenchmarkError

DIALS = ("strength", "size", "jitter", "correlation", "prevalence", "codes", "label_noise", "seed")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("dataset", help="the name of its YAML in pipelines/configs/datasets")
    parser.add_argument("bias", help="a registered bias, or the name of a YAML in pipelines/configs/biases")
    for dial in DIALS:
        parser.add_argument(f"--{dial.replace('_', '-')}", dest=dial, metavar="X", help=f"another {dial}")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any other setting of the bias")
    parser.add_argument("--images", type=int, default=10, metavar="N", help="how many images (default: 10)")
    parser.add_argument("--out", type=Path, metavar="PNG", help="default: data/preview/<dataset>-<bias>.png")
    parser.add_argument("--no-open", action="store_true", help="only save the picture")


def run(options: argparse.Namespace) -> None:
    """Draws, saves, says what the marks do, and opens the picture."""
    from benchmark.preview import draw, example_images, make_bias

    if options.images < 1:
        raise BenchmarkError("--images", got=options.images, expected="1 or more")
    bias = make_bias(options.bias, changes(options))
    examples = example_images(options.dataset, options.images)
    target = options.out or paths.DATA / "preview" / f"{options.dataset}-{options.bias}.png"
    for line in draw(target, examples, bias):
        print(line)
    print(target)
    if not options.no_open and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(target.resolve().as_uri())


def changes(options: argparse.Namespace) -> Mapping[str, Any]:
    """The settings that the command line gives.

    Raises:
        BenchmarkError: If one is not ``KEY=VALUE``.
    """
    given = {dial: getattr(options, dial) for dial in DIALS if getattr(options, dial) is not None}
    for text in options.set:
        key, equals, value = text.partition("=")
        if not equals:
            raise BenchmarkError("--set", got=text, expected="KEY=VALUE, such as jitter=0.1")
        given[key] = value
    return given
