"""One request for one file, appended to its part as far as it comes.

What the answer may be: 200, the whole file; 206, the rest that was asked for; 416, there is no rest. A server that
ignores the range sends 200, and the part starts over: bytes are never appended that were not asked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event

import httpx

from benchmark import __version__
from benchmark.fetch.origin import RemoteFile
from benchmark.fetch.part import Part, validator
from benchmark.fetch.trouble import Refused, Stopped, Transient, full_disk_told
from benchmark.fetch.verify import HEAD, page

AGAIN = (408, 425, 429)
GONE = (404, 410)
CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"

Arrived = Callable[[int, int | None], None]
"""Told how many bytes there are, and how many there will be."""


@dataclass(frozen=True)
class Patience:
    """How long a bad network is borne.

    Attributes:
        attempts: Attempts in a row that bring nothing new before a URL is given up.
        connect: Seconds for a connection.
        stall: Seconds without a byte, or with fewer than ``slowest`` bytes each, that end an attempt.
        slowest: Bytes per second.
        first_wait: Seconds before the second attempt, doubled for each further one, with jitter.
        longest_wait: Seconds between attempts at most, also where a server asks for more.
    """

    attempts: int = 5
    connect: float = 20
    stall: float = 60
    slowest: float = 100
    first_wait: float = 1
    longest_wait: float = 120


def make_client(patience: Patience) -> httpx.Client:
    """A client for all files of a data set, with the proxies and certificates of the environment."""
    return httpx.Client(
        follow_redirects=True,
        max_redirects=10,
        timeout=httpx.Timeout(patience.stall, connect=patience.connect, pool=None),
        headers={"User-Agent": f"shortcut-bench/{__version__}", "Accept-Encoding": "identity"},
    )


@contextmanager
def network_told() -> Iterator[None]:
    """Sorts the network's errors into those that may pass and those that stay."""
    try:
        yield
    except httpx.TooManyRedirects as error:
        raise Refused("redirects without end") from error
    except httpx.TimeoutException as error:
        raise Transient(f"no answer in time ({type(error).__name__})") from error
    except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError) as error:
        if CERTIFICATE in str(error):
            raise Refused(f"its certificate is not valid: {error}") from error
        raise Transient(str(error) or type(error).__name__) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refused(str(error) or type(error).__name__) from error


def receive(
    client: httpx.Client,
    url: str,
    file: RemoteFile,
    part: Part,
    known: bool,
    patience: Patience,
    stop: Event,
    at: Arrived,
) -> None:
    """Asks once; returns when the answer ended as it should.

    Args:
        client: From :func:`make_client`.
        url: Where to ask.
        file: What is published of the file.
        part: What has come before; its bytes are kept when this attempt fails.
        known: Whether a hash will tell the right bytes from others.
        patience: When to give up.
        stop: Ends the attempt when it is set.
        at: Is told of every piece.

    Raises:
        Transient: If another attempt may help.
        Refused: If none will.
        Stopped: After ``stop``.
        DiskFull: If the part cannot grow.
    """
    asked = part.headers(url, known)
    with network_told(), client.stream("GET", url, headers=asked) as answer:
        if answer.status_code == 416 and asked:
            if answer.headers.get("content-range", "").endswith(f"/{part.size}"):
                part.joined = True
                return
            part.drop()
            raise Transient("it has no such range")
        check_status(answer, patience)
        if answer.status_code == 206:
            total = check_range(answer, part, bool(asked))
            part.joined = True
        else:
            total = declared_length(answer)
            with full_disk_told(part.path):
                part.begin(url, validator(answer.headers.get("etag", ""), answer.headers.get("last-modified", "")))
        stream_into(part, answer, file, total, known, patience, stop, at)


def check_status(answer: httpx.Response, patience: Patience) -> None:
    """Lets 200 and 206 pass."""
    status = answer.status_code
    said = f"HTTP {status} {answer.reason_phrase}".strip()
    if status in AGAIN or status >= 500:
        wait = retry_after(answer.headers.get("retry-after", ""))
        if wait > patience.longest_wait:
            raise Refused(f"{said}, and asks to wait {wait:.0f} s")
        raise Transient(said, wait)
    if status not in (200, 206):
        raise Refused(said, missing=status in GONE)


def retry_after(text: str) -> float:
    """Seconds of the header Retry-After: a number, or a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def declared_length(answer: httpx.Response) -> int | None:
    """Bytes that a whole answer will have."""
    text = answer.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


def check_range(answer: httpx.Response, part: Part, asked: bool) -> int | None:
    """The file's size of an answer that is the rest of what has come.

    Raises:
        Transient: If it is something else; the part is dropped.
    """
    text = answer.headers.get("content-range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", text)
    if not asked or not match or int(match[1]) != part.size:
        part.drop()
        raise Transient(f"another range than asked for ({text or 'none named'})")
    return None if match[3] == "*" else int(match[3])


def stream_into(
    part: Part,
    answer: httpx.Response,
    file: RemoteFile,
    total: int | None,
    known: bool,
    patience: Patience,
    stop: Event,
    at: Arrived,
) -> None:
    """Appends the answer's body."""
    done, since, before = part.size, time.monotonic(), part.size
    at(done, file.size or total)
    head = b"" if done == 0 else None
    pieces = answer.iter_raw()  # not decoded: some servers call a .tar.gz a compressed answer
    with full_disk_told(part.path), part.path.open("ab") as stream:
        for piece in pieces:
            if stop.is_set():
                raise Stopped
            if head is not None:
                head = (head + piece)[:HEAD]
                check_head(head, answer, file, known, total)
                head = None if len(head) == HEAD else head
            stream.write(piece)
            stream.flush()  # a process that is killed loses nothing
            done += len(piece)
            at(done, file.size or total)
            if file.size and done > file.size:
                raise Refused(f"too long: more than the {file.size} bytes expected")
            if (passed := time.monotonic() - since) >= patience.stall:
                if done - before < patience.slowest * passed:
                    raise Transient(f"too slow: {done - before} bytes in {passed:.0f} s")
                since, before = time.monotonic(), done
    if file.size and done < file.size and total is None:
        raise Transient(f"ended after {done} of {file.size} bytes")


def check_head(head: bytes, answer: httpx.Response, file: RemoteFile, known: bool, total: int | None) -> None:
    """Refuses what is not the file by its first bytes, its kind or its length."""
    if said := page(head, file.name, answer.headers.get("content-type", ""), known):
        raise Refused(said)
    if file.size and total is not None and total != file.size:
        kind = "too long" if total > file.size else "cut off"
        raise Refused(f"{total} bytes, {kind}: expected {file.size}")
    coding = answer.headers.get("content-encoding", "identity").lower()
    if coding != "identity" and not known and not file.name.endswith((".gz", ".tgz", ".xz", ".bz2", ".zip")):
        raise Refused(f"compressed on the way ({coding}), though it was asked not to be")
