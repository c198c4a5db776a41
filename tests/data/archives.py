"""Tiny archives of a data set's official layout, made here and served by a real server, fetched by the shipped YAML."""

import gzip
import io
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.api import Images
from benchmark.config import parse, read_yaml
from benchmark.data.pack import read_pack
from benchmark.data.pack_write import by_split, write_pack
from benchmark.fetch.places import Downloads

CONFIGS = Path(__file__).resolve().parents[2] / "pipelines" / "configs" / "datasets"


def png(pixels) -> bytes:
    """A lossless image file. Under a name that ends in .jpg it is still read by its content."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def plain(colour, height: int = 8, width: int = 8) -> bytes:
    """An image of one colour."""
    return png(np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)))


def tar(files: Mapping[str, bytes], compressed: str = "gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compressed}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def idx(array) -> bytes:
    """A gzipped IDX file of bytes."""
    array = np.asarray(array, dtype=np.uint8)
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *args) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of a folder's files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def shipped(kind, name: str, address: str, **changes):
    """A data set with its shipped settings, but for addresses and hashes, which are the local server's."""
    content = read_yaml(CONFIGS / f"{name}.yaml")
    parse(kind.Settings, content, name)  # as it is shipped, it is valid, too
    for file in content["origin"]["files"]:
        if file.get("urls"):
            file["urls"] = [f"{address}/{file['name']}"]
        for key in ("sha256", "md5", "size"):
            file.pop(key, None)
    return kind(parse(kind.Settings, {**content, **changes}, name))


def fetched(kind, name: str, archives: Mapping[str, bytes], folder: Path, **changes):
    """A data set and its raw folder, fetched from a server of the archives; those without a URL come by hand."""
    source, raw = folder / "server", folder / "raw"
    by_hand = Downloads.beside(raw).cache
    for path in (source, raw, by_hand):
        path.mkdir()
    with served(source) as address:
        dataset = shipped(kind, name, address, **changes)
        with_url = {file.name for file in dataset.settings.origin.files if file.urls}
        for file, content in archives.items():
            ((source if file in with_url else by_hand) / file).write_bytes(content)
        dataset.fetch(raw)
    return dataset, raw


def packed(dataset, raw: Path) -> dict[str, Images]:
    """Each image of the data set by its id, as read from a pack that was written from it."""
    index = dataset.index(raw)
    order = by_split(index)
    blocks = (dataset.pixels(raw, index, order[start : start + 2]) for start in range(0, len(order), 2))
    path = raw.parent / "pack.h5"
    write_pack(path, index.take(order), blocks, {"classes": "[]"})
    images, _ = read_pack(path)
    return {name: images.take(row) for row, name in enumerate(images.id.tolist())}
