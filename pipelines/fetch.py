"""Stage fetch: put a data set's raw files into data/raw/<dataset>, hashes checked.

Downloads are kept in data/downloads/<dataset>: what was begun is continued, and a second fetch needs no network. Files
that a mirror has, or that were put there by hand, are checked in the same way. A data set that needs credentials is
skipped, with a word on how to get them. The environment variables SHORTCUT_BENCH_MIRROR and SHORTCUT_BENCH_JOBS stand
for --mirror and --jobs.
"""

from __future__ import annotations

import argparse
import shutil

from benchmark import paths
from benchmark.data.downloaded import Downloaded
from benchmark.data.named import load_dataset
from benchmark.fetch import Downloads, NeedsCredentials, describe
from benchmark.files import atomic_path
from benchmark.skipped import Skipped
from pipelines import program


def fetch(arguments: argparse.Namespace) -> None:
    name = arguments.dataset
    dataset = load_dataset(name)
    downloads = Downloads.of_project(name, arguments.mirror, arguments.jobs)
    if arguments.dry_run:
        if isinstance(dataset, Downloaded):
            print(describe(dataset.settings.origin, downloads))
        else:
            print(f"{name}: {dataset.source}")
        return
    if isinstance(dataset, Downloaded):
        dataset.downloads = downloads
    with atomic_path(paths.raw(name)) as folder:
        folder.mkdir()
        try:
            dataset.fetch(folder)
        except NeedsCredentials as error:
            mark = Skipped(name, "needs credentials", str(error.do))
            shutil.rmtree(folder)
            mark.write(folder)
            print(mark)


def positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("dataset", help="the name of its YAML in pipelines/configs/datasets")
    parser.add_argument(
        "--mirror", metavar="URL|DIR", help="a base where <dataset>/<name> or <name> is looked for first"
    )
    parser.add_argument("--jobs", type=positive, help="files that come at once (default: 4)")
    parser.add_argument("--dry-run", action="store_true", help="only show what, how big, which licence, and from where")
    program.run(fetch, parser)
