"""What a fetch would do: which files, how big, under which licence, from where, and what is here already."""

from __future__ import annotations

from rich.filesize import decimal

from benchmark.fetch.by_hand import unpacked_by_hand
from benchmark.fetch.origin import UNKNOWN, Origin, RemoteFile
from benchmark.fetch.part import Part
from benchmark.fetch.places import Downloads, sources


def describe(origin: Origin, downloads: Downloads) -> str:
    """The plan in lines. Nothing is written, and nobody is asked."""
    known = [file.size for file in origin.files if file.size]
    unknown = len(origin.files) - len(known)
    sizes = [*([decimal(sum(known))] if known else []), *([f"{unknown} of unknown size"] if unknown else [])]
    lines = [
        f"data set  {downloads.dataset}",
        f"homepage  {origin.homepage}",
        f"licence   {origin.licence}",
        f"citation  {' '.join(origin.citation.split())}",
        f"access    {origin.access}",
        f"files     {len(origin.files)}, {' and '.join(sizes)}",
        f"kept in   {downloads.cache}",
    ]
    if origin.access == "restricted":
        lines.append(f"register  {' '.join(origin.register_at.split())}")
    for file in origin.files:
        lines += describe_file(file, downloads)
    return "\n".join(lines)


def describe_file(file: RemoteFile, downloads: Downloads) -> list[str]:
    """One file: size, hash, what is here, and its places in the order of trial."""
    size = decimal(file.size) if file.size else "size unknown"
    if file.sha256 != UNKNOWN:
        by = f"sha256 {file.sha256}"
    else:
        by = f"md5 {file.md5}" if file.md5 else "hash unknown: trust on first use"
    optional = ", optional" if file.optional else ""
    places = [source.place for source in sources(file, downloads.dataset, downloads.mirror)] or ["by hand"]
    return [
        f"\n{file.name}  {size}, {state(file, downloads)}{optional}",
        f"  {by}",
        *(f"  {'from' if n == 0 else 'else'} {place}" for n, place in enumerate(places)),
    ]


def state(file: RemoteFile, downloads: Downloads) -> str:
    """How much of a file is in the folder of downloads."""
    final = downloads.cache / file.name
    if final.is_file():
        wrong = file.size and final.stat().st_size != file.size
        return f"in the cache, but of {final.stat().st_size} bytes: wrong" if wrong else "in the cache"
    if ready := unpacked_by_hand(file, downloads.cache):
        return f"unpacked by hand in {ready}"
    done = Part(final).size
    return f"{decimal(done)} of it in the cache" if done else "to be downloaded" if file.urls else "to be put there"
