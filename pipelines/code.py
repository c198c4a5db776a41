"""Stage code: the hash of the code that decides the trained models of one method.

Training depends on the hash instead of on folders of code, so that an edit makes those cells stale whose models it can
change, and no others. Writes runs/code/<suite>/<method>.json.
"""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.config import load_method
from benchmark.files import write_json
from benchmark.provenance import code_hash
from pipelines import program


def code(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    method = load_method(suite.method_yaml(arguments.method)).method
    write_json(suite.code(arguments.method), {"method": method, "code": code_hash(method)})


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("method", help="a configuration: the name of its YAML")
    parser.add_argument("--suite", default="default")
    program.run(code, parser)
