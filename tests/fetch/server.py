"""A real HTTP server whose faults are programmed: what it does with the next requests, and what it was asked."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<!DOCTYPE html><html><head><title>Quota exceeded</title></head><body>Sign in</body></html>"


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    range: str
    if_range: str


@dataclass
class Route:
    """What lies under a path.

    Attributes:
        content: The file.
        faults: What the next requests meet, in order; after that the file is served as it should.
        headers: Sent with every answer that brings the file.
    """

    content: bytes
    faults: list[Callable[["Handler", "Route"], None]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].lstrip("/")
        self.server.log.append(Asked(path, self.headers.get("Range", ""), self.headers.get("If-Range", "")))
        route = self.server.routes.get(path)
        if route is None:
            self.answer(404, b"not here")
        elif route.faults:
            route.faults.pop(0)(self, route)
        else:
            self.serve(route)

    def serve(self, route: Route, ranges: bool = True, stop_after: int | None = None, chunked: bool = False) -> None:
        """The file, or its rest; ``stop_after`` drops the connection after so many bytes."""
        text, begin = self.headers.get("Range", ""), 0
        told = self.headers.get("If-Range")
        if ranges and text and told in (None, *route.headers.values()):
            begin = int(text.removeprefix("bytes=").removesuffix("-"))
        if begin and begin >= len(route.content):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(route.content)}"})
            return
        body = route.content[begin:]
        self.send_response(206 if begin else 200)
        for name, value in route.headers.items():
            self.send_header(name, value)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(route.content) - 1}/{len(route.content)}")
        if chunked:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if stop_after is None else body[:stop_after])
        self.close_connection = chunked or stop_after is not None

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client went away, as some tests make it
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Route] = {}
        self.log: list[Asked] = []
        self.over = threading.Event()

    def handle_error(self, *args: object) -> None:
        """Silence: a client that does not like the certificate, or is killed."""

    def put(self, path: str, content: bytes, *faults: Callable[[Handler, Route], None], **headers: str) -> str:
        """Serves a file under a path; its URL."""
        self.routes[path] = Route(content, list(faults), {k.replace("_", "-"): v for k, v in headers.items()})
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def asked(self, path: str) -> list[str]:
        """The ranges of all requests of a path."""
        return [one.range for one in self.log if one.path == path]


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server()
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


def drop(after: int) -> Callable[[Handler, Route], None]:
    """The connection breaks after so many bytes."""
    return lambda handler, route: handler.serve(route, stop_after=after)


def status(code: int, body: bytes = b"", **headers: str) -> Callable[[Handler, Route], None]:
    """Another answer than the file."""
    told = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda handler, route: handler.answer(code, body, told)


def no_ranges(handler: Handler, route: Route) -> None:
    """Range is ignored: the whole file comes."""
    handler.serve(route, ranges=False)


def without_length(after: int | None = None) -> Callable[[Handler, Route], None]:
    """No Content-Length: the end of the connection is the end of the file."""
    return lambda handler, route: handler.serve(route, stop_after=after, chunked=True)


def stall(after: int) -> Callable[[Handler, Route], None]:
    """Some bytes, then silence until the test is over."""

    def act(handler: Handler, route: Route) -> None:
        handler.serve(route, stop_after=after)
        handler.wfile.flush()
        handler.server.over.wait(20)

    return act


def drip(seconds: float) -> Callable[[Handler, Route], None]:
    """One byte at a time, for ever slow."""

    def act(handler: Handler, route: Route) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(route.content)))
        handler.end_headers()
        for place in range(len(route.content)):
            handler.wfile.write(route.content[place : place + 1])
            if handler.server.over.wait(seconds):
                return

    return act
