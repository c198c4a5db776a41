"""What a person sees of a download: numbers by hand, in a log and in a terminal."""

import contextlib
import os
import pty
import sys

import pytest
from conftest import CONTENT, Place
from server import Server

from benchmark.fetch import progress


@pytest.mark.parametrize(
    ("done", "total", "speed", "text"),
    [
        (1_500_000, 10_000_000, 500_000, "a: 1.5 MB of 10.0 MB, 500.0 kB/s, 0:00:17 left"),
        (10_000_000_000, 450_000_000_000, 10_000_000, "a: 10.0 GB of 450.0 GB, 10.0 MB/s, 12:13:20 left"),
        (1000, None, 10, "a: 1.0 kB, 10 bytes/s"),
        (0, 1000, 0, "a: 0 bytes of 1.0 kB, 0 bytes/s"),
    ],
)
def test_a_line_tells_size_speed_and_time_left(done: int, total: int | None, speed: float, text: str) -> None:
    assert progress.line("a", done, total, speed) == text


def test_speed_counts_what_came_in_this_fetch() -> None:
    course = progress.Course(first=1000)
    course.began -= 10
    assert course.speed(6000) == pytest.approx(500, rel=0.01)


def test_a_log_gets_lines(
    place: Place, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT))
    place.fetch()
    out = capsys.readouterr().out
    assert "tiny a.bin: " in out and " of 300.0 kB, " in out and "B/s" in out
    assert "\x1b" not in out


def test_a_terminal_gets_a_bar(place: Place, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setenv("TERM", "xterm")
        place.file("a.bin", CONTENT, server.put("a.bin", CONTENT), server.url("b"))
        with progress.Progress("tiny") as bars:
            assert bars.bars is not None
            bars.at("a.bin", 150_000, 300_000)
            bars.at("a.bin", 200_000, 300_000)
            bars.say("[a] line")
            bars.bars.refresh()
            bars.end("a.bin")
    pieces = []
    with contextlib.suppress(OSError):  # a terminal that nobody writes to any more ends so
        while piece := os.read(ours, 1 << 16):
            pieces.append(piece)
    os.close(ours)
    shown = b"".join(pieces).decode()
    assert "tiny a.bin" in shown and "200.0/300.0 kB" in shown and "[a] line" in shown and "\x1b" in shown
