"""Files that a person puts there: checked as downloads are, asked for where they are missing."""

import json
from pathlib import Path

import pytest
from conftest import CONTENT, Place, sha256, zipped
from server import HTML, Server

from benchmark.errors import BenchmarkError
from benchmark.fetch import NeedsCredentials

RESTRICTED = {"access": "restricted", "register_at": "Register at https://publisher.example/register."}


def test_a_file_put_there_by_hand_is_checked_in_the_same_way(place: Place) -> None:
    place.file("a.bin", CONTENT, "http://nowhere.invalid/a.bin")
    place.cache.mkdir()
    (place.cache / "a.bin").write_bytes(HTML)
    with pytest.raises(BenchmarkError, match="an HTML page"):
        place.fetch()
    assert place.raw == {}
    assert place.kept == {"a.bin.wrong": HTML}  # not under its name, and not thrown away
    (place.cache / "a.bin").write_bytes(CONTENT)
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


def test_a_download_that_rotted_on_the_disk_is_fetched_anew(place: Place, server: Server) -> None:
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT))
    place.cache.mkdir()
    (place.cache / "a.bin").write_bytes(CONTENT[:-1] + b"?")
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


def test_a_restricted_data_set_says_where_to_register_and_what_to_put_where(place: Place, server: Server) -> None:
    place.terms = RESTRICTED
    place.file("secret.zip", None, size=2_900_000_000, unpack="zip")
    place.file("list.csv", None)
    place.file("open.bin", CONTENT, server.put("open.bin", CONTENT))
    with pytest.raises(NeedsCredentials) as caught:
        place.fetch()
    said = str(caught.value)
    for part in (RESTRICTED["register_at"], "2.9 GB", str(place.cache / "secret.zip"), str(place.cache / "list.csv")):
        assert part in said
    assert place.raw == {} and server.log == []


def test_a_restricted_data_set_whose_files_are_there_is_taken_and_recorded(place: Place) -> None:
    place.terms = RESTRICTED
    secret = zipped(z=b"z")
    place.file("secret.zip", None, unpack="zip")
    place.cache.mkdir()
    (place.cache / "secret.zip").write_bytes(secret)
    place.fetch()
    assert place.raw == {"z": b"z"}
    assert json.loads(place.checksums.read_text())["secret.zip"]["sha256"] == sha256(secret)


def test_a_wrong_file_of_a_restricted_data_set_is_no_missing_one_and_stays(place: Place) -> None:
    place.terms = RESTRICTED
    place.file("secret.bin", CONTENT)
    place.cache.mkdir()
    (place.cache / "secret.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(BenchmarkError, match=r"sha256 .* expected") as caught:
        place.fetch()
    assert not isinstance(caught.value, NeedsCredentials)
    assert place.raw == {} and place.kept == {"secret.bin": CONTENT[::-1]}


@pytest.mark.parametrize("linked", [True, False])
def test_a_folder_may_stand_for_an_archive_that_a_person_unpacked(place: Place, tmp_path: Path, linked: bool) -> None:
    place.terms = RESTRICTED
    place.file("secret.tar.gz", None, unpack="tar", into="in")
    place.cache.mkdir()
    folder = place.cache / "secret"
    if linked:
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/z").write_bytes(b"z")
    place.fetch()
    assert place.raw == {"in/deep/z": b"z"}


def test_a_mirror_may_have_restricted_files(place: Place, server: Server, tmp_path: Path) -> None:
    place.terms = RESTRICTED
    place.file("secret.bin", CONTENT)
    with pytest.raises(NeedsCredentials):
        place.fetch(mirror=server.url("mirror"))
    (tmp_path / "secret.bin").write_bytes(CONTENT)
    place.fetch(mirror=str(tmp_path))
    assert place.raw == {"secret.bin": CONTENT}
