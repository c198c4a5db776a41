"""Downloads that survive dead hosts and bad networks: several mirrors, resumed, checked, unpacked without trust."""

from benchmark.fetch.bounds import Bounds
from benchmark.fetch.dry_run import describe
from benchmark.fetch.engine import download
from benchmark.fetch.origin import Origin, RemoteFile
from benchmark.fetch.places import Downloads
from benchmark.fetch.receive import Patience
from benchmark.fetch.trouble import DiskFull, NeedsCredentials
from benchmark.fetch.unpack import unpack

__all__ = [
    "Bounds",
    "DiskFull",
    "Downloads",
    "NeedsCredentials",
    "Origin",
    "Patience",
    "RemoteFile",
    "describe",
    "download",
    "unpack",
]
