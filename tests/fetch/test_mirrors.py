"""Mirrors, archives, trust on first use, and the plan of a fetch."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from conftest import CONTENT, Place, sha256, tree, zipped
from server import Server, status

from benchmark.data.downloaded import Downloaded
from benchmark.errors import BenchmarkError
from benchmark.fetch import Downloads, Origin, RemoteFile, describe

RESTRICTED = {"access": "restricted", "register_at": "Register at https://publisher.example/register."}


def test_archives_are_unpacked_and_kept(place: Place, server: Server) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("deep/t.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"t"))
    content = {
        "a.zip": zipped(z=b"z"),
        "b.tgz": out.getvalue(),
        "c.csv.gz": gzip.compress(b"c"),
        "d.gz": gzip.compress(b"d"),
    }
    for name, kind, into in (
        ("a.zip", "zip", "in/to"),
        ("b.tgz", "tar", ""),
        ("c.csv.gz", "gz", ""),
        ("d.gz", "gz", "e/f"),
    ):
        place.file(name, content[name], server.put(name, content[name]), unpack=kind, into=into)
    place.fetch()
    assert place.raw == {"in/to/z": b"z", "deep/t.txt": b"t", "c.csv": b"c", "e/f": b"d"}
    assert place.kept == content
    assert not place.checksums.exists()


def test_a_bad_archive_leaves_no_file_and_no_record(place: Place, server: Server) -> None:
    place.file("good.bin", None, server.put("good.bin", CONTENT))
    place.file("a.zip", None, server.put("a.zip", zipped(**{"../out": b"z"})), unpack="zip")
    with pytest.raises(BenchmarkError, match="leads out"):
        place.fetch()
    assert list(place.folder.iterdir()) == [] and not place.checksums.exists()


def test_files_that_meet_under_one_name_are_an_error(place: Place, server: Server) -> None:
    place.file("z", b"1", server.put("z", b"1"))
    place.file("a.zip", None, server.put("a.zip", zipped(z=b"z")), unpack="zip")
    with pytest.raises(BenchmarkError, match="both bring z"):
        place.fetch()
    assert list(place.folder.iterdir()) == []


@pytest.mark.parametrize("below", ["tiny/sub/a.bin", "sub/a.bin"])
@pytest.mark.parametrize("kind", ["folder", "file url", "server"])
def test_a_mirror_is_asked_first(place: Place, server: Server, tmp_path: Path, below: str, kind: str) -> None:
    path = tmp_path / "mirror" / below
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    server.put(f"mirror/{below}", CONTENT)
    base = {
        "folder": str(tmp_path / "mirror"),
        "file url": (tmp_path / "mirror").as_uri(),
        "server": server.url("mirror/"),
    }[kind]
    place.file("sub/a.bin", CONTENT, server.url("gone"))
    place.fetch(mirror=base)
    assert place.raw == {"sub/a.bin": CONTENT}
    assert server.asked("gone") == []


def test_what_a_mirror_lacks_or_has_wrong_comes_from_the_publisher(
    place: Place, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/b.bin").write_bytes(CONTENT[::-1])
    place.file("a.bin", CONTENT, server.put("a.bin", CONTENT))
    place.file("b.bin", CONTENT, server.put("b.bin", CONTENT))
    place.fetch(mirror=str(tmp_path / "mirror"))
    assert place.raw == {"a.bin": CONTENT, "b.bin": CONTENT}


def test_the_environment_names_a_mirror(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    monkeypatch.setenv("SHORTCUT_BENCH_MIRROR", str(tmp_path))
    place.file("a.bin", CONTENT, "http://nowhere.invalid/a.bin")
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}


def test_a_mirror_that_is_no_folder_is_an_error(place: Place) -> None:
    place.file("a.bin", CONTENT, "http://nowhere.invalid/a.bin")
    with pytest.raises(BenchmarkError, match=r"the mirror; got '/no/such/folder'"):
        place.fetch(mirror="/no/such/folder")


def test_a_file_url_is_a_place_like_others(place: Place, tmp_path: Path) -> None:
    (tmp_path / "my file.bin").write_bytes(CONTENT)
    place.file("a.bin", CONTENT, (tmp_path / "gone").as_uri(), (tmp_path / "my file.bin").as_uri())
    place.fetch()
    assert place.raw == {"a.bin": CONTENT}
    assert (tmp_path / "my file.bin").read_bytes() == CONTENT


def test_the_first_use_is_recorded_and_held_to(place: Place, server: Server) -> None:
    new = CONTENT[::-1]
    url = server.put("a.bin", CONTENT)
    place.file("a.bin", None, url)
    place.file("b.bin", CONTENT, server.put("b.bin", CONTENT))
    place.fetch()
    record = place.checksums.read_bytes()
    assert json.loads(record) == {"a.bin": {"sha256": sha256(CONTENT), "size": len(CONTENT), "url": url}}

    for path in place.folder.iterdir():
        path.unlink()
    place.fetch()
    assert place.checksums.read_bytes() == record  # from the folder of downloads, and still of its first place

    for path in (*place.folder.iterdir(), place.cache / "a.bin"):
        path.unlink()
    server.put("a.bin", new)
    with pytest.raises(BenchmarkError) as caught:
        place.fetch()
    said = str(caught.value)
    assert sha256(CONTENT) in said and sha256(new) in said and str(place.checksums) in said and "delete 'a.bin'" in said
    assert place.raw == {} and set(place.kept) == {"b.bin"} and place.checksums.read_bytes() == record

    place.checksums.unlink()  # as the sentence says, where the publisher changed it
    place.fetch()
    assert place.raw == {"a.bin": new, "b.bin": CONTENT}


def test_a_record_that_is_none_is_an_error(place: Place) -> None:
    place.checksums.write_text('{"a.bin": 3}')
    place.file("a.bin", CONTENT, "http://nowhere.invalid/a.bin")
    with pytest.raises(BenchmarkError, match="is no record of checksums"):
        place.fetch()


@pytest.mark.parametrize("name", ["a.zip", "a.csv.gz"])
def test_on_first_use_what_is_no_archive_is_not_trusted(place: Place, server: Server, name: str) -> None:
    place.file(name, None, server.put(name, b'{"error": "log in"}', Content_Type="application/json"))
    with pytest.raises(BenchmarkError, match="it begins with"):
        place.fetch()
    assert place.raw == {} and place.kept == {} and not place.checksums.exists()


def test_too_little_room_is_told_before_anything_comes(place: Place, server: Server) -> None:
    place.file("a.bin", None, server.put("a.bin", CONTENT), size=1 << 60)
    with pytest.raises(BenchmarkError, match=r"no room on the disk.*free.*at least 1.2 EB"):
        place.fetch()
    assert server.log == [] and place.raw == {}


def test_a_plan_tells_everything_and_touches_nothing(place: Place, server: Server, tmp_path: Path) -> None:
    place.terms = RESTRICTED
    place.file("here.bin", CONTENT, server.put("here.bin", CONTENT))
    place.file("begun.bin", CONTENT, server.put("begun.bin", CONTENT))
    place.file("far.bin", CONTENT, server.put("far.bin", CONTENT), server.url("far2.bin"))
    place.file("secret.bin", None, md5="0" * 32, optional=True)
    place.cache.mkdir()
    (place.cache / "here.bin").write_bytes(CONTENT)
    (place.cache / "begun.bin.part").write_bytes(CONTENT[:1000])
    before = tree(tmp_path)
    text = describe(place.origin, Downloads("tiny", place.cache, place.checksums, mirror="http://mirror.example"))
    assert tree(tmp_path) == before and server.log == []
    facts = ("CC0", "Somebody, 2020.", "900.0 kB and 1 of unknown size", RESTRICTED["register_at"], sha256(CONTENT))
    places = ("http://mirror.example/tiny/far.bin", server.url("far.bin"), server.url("far2.bin"))
    states = ("in the cache", "1.0 kB of it in the cache", "to be downloaded", "to be put there, optional")
    for part in (*facts, *places, *states, f"md5 {'0' * 32}"):
        assert part in text


def test_outside_of_a_stage_everything_is_kept_beside_the_folder(server: Server, tmp_path: Path) -> None:
    class Tiny(Downloaded):
        def index(self, folder):
            raise NotImplementedError

        def pixels(self, folder, index, rows):
            raise NotImplementedError

    file = RemoteFile(name="a.bin", urls=(server.put("a.bin", CONTENT, status(302, Location=server.url("a.bin"))),))
    origin = Origin(homepage="https://h.example", licence="CC0", citation="Somebody,\n2020.", files=(file,))
    dataset = Tiny(Tiny.Settings(origin=origin))
    (tmp_path / "raw").mkdir()
    dataset.fetch(tmp_path / "raw")
    assert set(tree(tmp_path)) == {"raw/a.bin", "raw.downloads/a.bin", "raw.downloads/checksums.json"}
    assert dataset.source == "Somebody, 2020. Licence: CC0. https://h.example"


def test_the_environment_says_how_many_files_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Downloads.of_project("tiny").jobs, Downloads.of_project("tiny", jobs=2).jobs) == (4, 2)
    monkeypatch.setenv("SHORTCUT_BENCH_JOBS", "7")
    assert Downloads.beside(tmp_path).jobs == 7
    monkeypatch.setenv("SHORTCUT_BENCH_JOBS", "none")
    with pytest.raises(BenchmarkError, match="SHORTCUT_BENCH_JOBS; got 'none'"):
        Downloads.of_project("tiny")
