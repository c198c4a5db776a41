"""``python -m benchmark``: list what is there, add it to a suite, start a package of your own."""

import sys

from benchmark.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
