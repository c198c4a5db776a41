"""What servers answer, each made by a real one: a file comes whole, or nothing is taken and the error says why."""

import gzip
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from conftest import CONTENT, QUICK, Place, sha256
from server import HTML, Server, serving, status, without_length

from benchmark.errors import BenchmarkError


def test_a_file_comes_whole_and_a_second_fetch_asks_nobody(place: Place, server: Server) -> None:
    place.file("sub/a.bin", CONTENT, server.put("a.bin", CONTENT))
    place.fetch()
    assert place.raw == {"sub/a.bin": CONTENT}
    assert place.kept == {"sub/a.bin": CONTENT}
    (place.folder / "sub/a.bin").unlink()
    place.fetch()
    assert place.raw == {"sub/a.bin": CONTENT}
    assert server.asked("a.bin") == [""]


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_a_passing_error_is_tried_again(place: Place, server: Server, code: int) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, status(code)))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert len(server.log) == 2


def test_retry_after_is_honoured(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, status(429, Retry_After="1")))
    start = time.monotonic()
    place.fetch()
    assert 1 <= time.monotonic() - start < 3


def test_who_asks_for_too_long_a_wait_is_left_for_the_next_mirror(place: Place, server: Server) -> None:
    busy = server.put("busy", CONTENT, status(503, Retry_After="86400"))
    place.file("a.bin", CONTENT, busy, server.put("free", CONTENT))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert len(server.asked("busy")) == 1


def test_404_is_not_tried_again_and_the_next_mirror_has_it(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.url("gone"), server.put("there", CONTENT))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert server.asked("gone") == [""]


def test_404_everywhere_names_the_file_every_url_and_the_manual_route(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.url("gone"), server.url("gone_too"))
    said = place.fails("a.bin of data set tiny cannot be had")
    assert said.count("HTTP 404 Not Found") == 2
    for part in (
        server.url("gone"),
        server.url("gone_too"),
        "https://publisher.example/set",
        str(place.cache / "a.bin"),
    ):
        assert part in said
    assert place.kept == {}


def test_redirects_are_followed(place: Place, server: Server) -> None:
    there = server.put("there", CONTENT)
    place.file("a.bin", CONTENT, server.put("here", b"", status(302, Location=there)))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


def test_redirects_in_a_circle_end(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("here", b"", *[status(302, Location=server.url("here"))] * 50))
    place.fails("redirects without end")
    assert len(server.log) < 20


def test_no_network_is_told(place: Place) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place.file("a.bin", CONTENT, f"http://127.0.0.1:{port}/a.bin", "http://nowhere.invalid/a.bin")
    said = place.fails("Connection refused")
    assert "http://nowhere.invalid/a.bin" in said


def test_html_instead_of_the_file_is_told_with_its_title(place: Place, server: Server) -> None:
    page = server.put("a.bin", HTML, Content_Type="text/html; charset=utf-8")
    place.file("a.bin", CONTENT, page)
    assert "'Quota exceeded'" in place.fails("an HTML page .text/html.*instead of the file")


def test_html_is_seen_without_hash_size_and_honest_type(place: Place, server: Server) -> None:
    place.file("a.bin", None, server.put("a.bin", b"\n " + HTML, Content_Type="application/octet-stream"))
    place.fails("an HTML page")


def test_the_servers_word_html_counts_where_no_hash_decides(place: Place, server: Server) -> None:
    url = server.put("a.bin", b"Sign in, please", Content_Type="text/html")
    place.file("a.bin", None, url)
    place.fails("an HTML page")


def test_a_server_that_calls_everything_html_is_not_believed_against_the_hash(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT, Content_Type="text/html"))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


def test_a_page_that_is_meant_to_be_one_is_taken(place: Place, server: Server) -> None:
    place.file("index.html", None, server.put("index.html", HTML, Content_Type="text/html"))
    place.fetch()
    assert place.raw == {"index.html": HTML}


def test_a_wrong_hash_says_both(place: Place, server: Server) -> None:
    wrong = CONTENT[:-1] + b"?"
    file = place.file("a.bin", CONTENT, server.put("a.bin", wrong))
    said = place.fails("sha256 .* expected")
    assert sha256(wrong) in said and file.sha256 in said
    assert place.kept == {}


def test_a_wrong_md5_is_refused(place: Place, server: Server) -> None:
    place.file("a.bin", None, server.put("a.bin", CONTENT), md5="0" * 32)
    place.fails("md5 [0-9a-f]{32}, expected 0{32}")


def test_the_right_mirror_makes_up_for_the_wrong(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("wrong", CONTENT[::-1]), server.put("right", CONTENT))
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


@pytest.mark.parametrize(("served", "said"), [(CONTENT[:-9], "cut off"), (CONTENT + b"?", "too long")])
@pytest.mark.parametrize("told", [True, False], ids=["with length", "without length"])
def test_another_length_is_refused(place: Place, server: Server, served: bytes, said: str, told: bool) -> None:
    url = server.put("a.bin", served, *([] if told else [without_length()] * 9))
    place.file("a.bin", CONTENT, url)
    place.fails(said if told or said == "too long" else "ended after|another range|no such range|cut off")


def test_an_endless_answer_is_ended_at_the_published_size(place: Place, server: Server) -> None:
    place.file("a.bin", b"x" * 10, server.put("a.bin", CONTENT * 20, without_length()))
    place.fails("too long: more than the 10 bytes")


def test_an_empty_answer_is_no_file(place: Place, server: Server) -> None:
    place.file("a.bin", None, server.put("a.bin", b""))
    place.fails("an empty file")


def test_a_compressed_file_is_not_decompressed_on_the_way(place: Place, server: Server) -> None:
    packed = gzip.compress(CONTENT)
    place.file("a.csv.gz", packed, server.put("a.csv.gz", packed, Content_Encoding="gzip"))
    place.fetch()
    assert place.raw == {"a.csv.gz": packed}


def test_one_error_names_all_files_that_failed_and_keeps_those_that_came(place: Place, server: Server) -> None:
    place.file("good.bin", CONTENT, server.put("good.bin", CONTENT))
    place.file("bad.bin", b"1", server.url("bad.bin"))
    place.file("worse.bin", b"2", server.url("worse.bin"))
    with pytest.raises(BenchmarkError, match=r"bad.bin, worse.bin of data set tiny cannot be had"):
        place.fetch()
    assert place.raw == {}
    assert place.kept == {"good.bin": CONTENT}


def test_an_optional_file_that_is_nowhere_is_left_out_but_a_wrong_one_is_an_error(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT))
    place.file("b.bin", b"1", server.url("b.bin"), optional=True)
    place.file("c.bin", b"1", optional=True)
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    server.put("b.bin", b"2")
    with pytest.raises(BenchmarkError, match=r"b\.bin of data set tiny cannot be had"):
        place.fetch(QUICK)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_a_certificate_that_is_not_valid_is_told_and_not_tried_again(place: Place) -> None:
    key, cert = place.root / "key.pem", place.root / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*made, "-keyout", key, "-out", cert, "-subj", "/CN=localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with serving(context) as server:
        place.file("a.bin", CONTENT, server.put("a.bin", CONTENT).replace("http:", "https:"))
        said = place.fails("its certificate is not valid")
    assert "attempts" not in said and server.log == []
