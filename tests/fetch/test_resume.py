"""Downloads that break off: they go on from their byte, and nothing is joined that does not surely belong together."""

import pytest
from conftest import CONTENT, Place
from server import Server, drip, drop, no_ranges, stall, status, without_length

HALF = 100_000


def test_a_broken_connection_is_resumed_from_its_byte(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, drop(HALF), drop(50_000), ETag='"v1"'))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("a.bin") == ["", f"bytes={HALF}-", f"bytes={HALF + 50_000}-"]
    assert [one.if_range for one in server.log] == ["", '"v1"', '"v1"']


def test_a_flaky_connection_that_gets_on_is_not_given_up(place: Place, server: Server) -> None:
    pieces = 30  # far more than the attempts in vain that are borne
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, *[drop(len(CONTENT) // pieces)] * (pieces - 1)))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert len(server.log) >= pieces


def test_a_connection_that_never_gets_on_is_given_up_and_its_beginning_kept(place: Place, server: Server) -> None:
    url = server.put("a.bin", CONTENT, drop(HALF), *[drop(0)] * 20)
    place.file("a.bin", CONTENT, url)
    place.fails("given up after 2 attempts in vain")
    assert place.kept["a.bin.part"] == CONTENT[:HALF]
    server.put("a.bin", CONTENT)
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("a.bin")[-1] == f"bytes={HALF}-"
    assert set(place.kept) == {"a.bin"}


def test_a_server_that_ignores_ranges_sends_the_file_anew(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, drop(HALF), no_ranges))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("a.bin") == ["", f"bytes={HALF}-"]


def test_a_file_that_changed_in_between_is_not_mixed(place: Place, server: Server) -> None:
    new = CONTENT[::-1]

    def change(handler, route) -> None:
        route.content, route.headers = new, {"ETag": '"v2"'}
        handler.serve(route)

    place.file("a.bin", None, server.put("a.bin", CONTENT, drop(HALF), change, ETag='"v1"'))
    place.fetch()
    assert place.raw == {"a.bin": new}


def test_without_hash_and_validator_nothing_is_joined(place: Place, server: Server) -> None:
    place.file("a.bin", None, server.put("a.bin", CONTENT, drop(HALF)))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("a.bin") == ["", ""]


def test_a_weak_etag_confirms_nothing(place: Place, server: Server) -> None:
    place.file("a.bin", None, server.put("a.bin", CONTENT, drop(HALF), ETag='W/"v1"'))
    place.fetch()
    assert server.asked("a.bin") == ["", ""]


def test_a_join_that_is_wrong_is_asked_for_once_more_as_a_whole(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT))
    place.cache.mkdir()
    (place.cache / "a.bin.part").write_bytes(b"?" * HALF)
    (place.cache / "a.bin.part.json").write_text('{"url": "http://elsewhere/a.bin", "validator": ""}')
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("a.bin") == [f"bytes={HALF}-", ""]


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 7])
def test_a_part_as_long_as_the_file_or_longer_is_checked_not_believed(place: Place, server: Server, size: int) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT))
    place.cache.mkdir()
    (place.cache / "a.bin.part").write_bytes(b"?" * size)
    (place.cache / "a.bin.part.json").write_text('{"url": "http://elsewhere/a.bin", "validator": ""}')
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


def test_the_rest_is_taken_from_another_mirror_where_the_hash_is_known(place: Place, server: Server) -> None:
    first = server.put("first", CONTENT, drop(HALF), *[drop(0)] * 9, ETag='"1"')
    place.file("a.bin", CONTENT, first, server.put("second", CONTENT, ETag='"2"'))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("second") == [f"bytes={HALF}-"]


def test_another_range_than_asked_for_is_not_appended(place: Place, server: Server) -> None:
    other = status(206, CONTENT[5:], Content_Range=f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}")
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, drop(HALF), other))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


def test_a_server_that_falls_silent_is_left_for_the_next_mirror(place: Place, server: Server) -> None:
    silent = server.put("silent", CONTENT, stall(HALF), *[stall(0)] * 9)
    place.file("a.bin", CONTENT, silent, server.put("lively", CONTENT))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("lively") == [f"bytes={HALF}-"]


def test_a_server_that_drips_does_not_hold_for_ever(place: Place, server: Server) -> None:
    drips = server.put("drips", CONTENT, *[drip(0.1)] * 9)
    place.file("a.bin", CONTENT, drips, server.put("lively", CONTENT))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert len(server.asked("drips")) < 9


def test_a_connection_that_ends_early_without_length_is_resumed(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, without_length(HALF)))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("a.bin") == ["", f"bytes={HALF}-"]
