"""Archives that lie: nothing leads out, nothing is too much, nothing half-unpacked stays."""

import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.errors import BenchmarkError
from benchmark.fetch import Bounds, unpack

GOOD = {"images/a.png": b"a" * 70_000, "images/deep/b.png": b"b", "list.txt": b""}


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def good_tar(path: Path, mode: str = "w") -> Path:
    folder = entry("./images/", tarfile.DIRTYPE)
    return tar(path, (folder, b""), *((entry(f"./{n}"), c) for n, c in GOOD.items()), (folder, b""), mode=mode)


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(archive: Path, kind: str, match: str, bounds: Bounds | None = None) -> None:
    """Unpacking ends in the error; the folder keeps what it had and gets nothing, and nothing lies beside it."""
    folder = archive.parent / "raw"
    folder.mkdir()
    (folder / "before.txt").write_text("here before")
    outside = set(archive.parent.iterdir())
    with pytest.raises(BenchmarkError, match=match):
        unpack(archive, folder, kind, bounds)
    assert list(folder.rglob("*")) == [folder / "before.txt"]
    assert set(archive.parent.iterdir()) == outside


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_tar_is_unpacked_whatever_compresses_it(tmp_path: Path, mode: str) -> None:
    assert unpack(good_tar(tmp_path / "a.tar", mode), tmp_path / "raw", "tar") == 3
    assert tree(tmp_path / "raw") == GOOD
    assert {stat.S_IMODE(p.stat().st_mode) & 0o111 for p in (tmp_path / "raw").rglob("*") if p.is_file()} == {0}


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    assert unpack(zipped(tmp_path / "a.zip", ("images/", b""), *GOOD.items()), tmp_path / "raw", "zip") == 3
    assert tree(tmp_path / "raw") == GOOD


def test_a_zip_of_windows_has_folders(tmp_path: Path) -> None:
    unpack(zipped(tmp_path / "a.zip", ("images\\a.png", b"a")), tmp_path / "raw", "zip")
    assert tree(tmp_path / "raw") == {"images/a.png": b"a"}


def test_a_gzipped_file_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2") + gzip.compress(b",3"))
    unpack(tmp_path / "a.csv.gz", tmp_path / "raw", "gz")
    unpack(tmp_path / "a.csv.gz", tmp_path / "raw", "gz", name="b.csv")
    assert tree(tmp_path / "raw") == {"a.csv": b"1,2,3", "b.csv": b"1,2,3"}


def test_two_archives_share_folders_but_no_file(tmp_path: Path) -> None:
    unpack(zipped(tmp_path / "a.zip", ("images/a", b"a"), ("b", b"b")), tmp_path / "raw", "zip")
    unpack(zipped(tmp_path / "c.zip", ("images/c", b"c")), tmp_path / "raw", "zip")
    with pytest.raises(BenchmarkError, match="both bring c"):
        unpack(zipped(tmp_path / "d.zip", ("images/c", b"other")), tmp_path / "raw", "zip")
    assert tree(tmp_path / "raw") == {"images/a": b"a", "b": b"b", "images/c": b"c"}


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/abs/out", "..\\out", "C:/out"])
def test_no_path_of_a_zip_leads_out(tmp_path: Path, name: str) -> None:
    refused(zipped(tmp_path / "a.zip", ("good", b"1"), (name, b"2")), "zip", "leads out")


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/abs/out"])
def test_no_path_of_a_tar_leads_out(tmp_path: Path, name: str) -> None:
    refused(tar(tmp_path / "a.tar", (entry("good"), b"1"), (entry(name), b"2")), "tar", "leads out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", ".."])
def test_no_link_leads_out(tmp_path: Path, kind: bytes, target: str) -> None:
    refused(tar(tmp_path / "a.tar", (entry("link", kind, target), b""), (entry("link/x"), b"2")), "tar", "a link to")


def test_a_link_to_a_folder_is_no_way_around(tmp_path: Path) -> None:
    members = [(entry("d", tarfile.DIRTYPE), b""), (entry("link", tarfile.SYMTYPE, "d"), b""), (entry("link/x"), b"2")]
    refused(tar(tmp_path / "a.tar", *members), "tar", "a link to d")


def test_no_link_of_a_zip_leads_out(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    refused(zipped(tmp_path / "a.zip", (link, b"/etc/passwd")), "zip", "a link to /etc/passwd")


def test_links_inside_become_copies(tmp_path: Path) -> None:
    archive = tar(
        tmp_path / "a.tar",
        (entry("d/soft", tarfile.SYMTYPE, "chain"), b""),
        (entry("d/chain", tarfile.SYMTYPE, "../f"), b""),
        (entry("f"), b"content"),
        (entry("hard", tarfile.LNKTYPE, "f"), b""),
    )
    unpack(archive, tmp_path / "raw", "tar")
    assert tree(tmp_path / "raw") == dict.fromkeys(("d/soft", "d/chain", "f", "hard"), b"content")
    assert not any(path.is_symlink() or path.stat().st_nlink > 1 for path in (tmp_path / "raw").rglob("*[!d]"))


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    circle = [(entry("a", tarfile.SYMTYPE, "b"), b""), (entry("b", tarfile.SYMTYPE, "a"), b"")]
    refused(tar(tmp_path / "a.tar", *circle), "tar", "a link to")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    refused(tar(tmp_path / "a.tar", (entry("dev", kind), b"")), "tar", "a device")


def test_a_device_in_a_zip_is_refused(tmp_path: Path) -> None:
    device = zipfile.ZipInfo("dev")
    device.create_system, device.external_attr = 3, (stat.S_IFCHR | 0o600) << 16
    refused(zipped(tmp_path / "a.zip", (device, b"")), "zip", "a device")


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    refused(tar(tmp_path / "a.tar", (entry("x"), b"1"), (entry("./x"), b"2")), "tar", "a name that came before")


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    refused(tar(tmp_path / "a.tar", (entry("x"), b"1"), (entry("x/y"), b"2")), "tar", "a file and a folder")


ZEROS = bytes(40_000_000)


def gz_bomb(path: Path) -> Path:
    path.write_bytes(gzip.compress(ZEROS, 1))
    return path


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("zip", lambda path: zipped(path, ("x", ZEROS))),
        ("tar", lambda path: tar(path, (entry("x"), ZEROS), mode="w:gz")),
        ("gz", gz_bomb),
    ],
)
def test_bombs_are_not_let_off(tmp_path: Path, kind: str, make: Callable[[Path], Path]) -> None:
    archive = make(tmp_path / f"a.{kind}.gz")
    assert archive.stat().st_size < 300_000
    refused(archive, kind, "more than 1.0 MB unpacked", Bounds(total=1_000_000))


def test_a_zip_whose_header_lies_about_the_size_is_counted_not_believed(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("x", ZEROS))
    content = archive.read_bytes()
    size, lie = len(ZEROS).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert content.count(size) == 2  # the local header's and the directory's
    archive.write_bytes(content.replace(size, lie))
    refused(archive, "zip", "damaged", Bounds(total=1_000_000))  # it has more, or another checksum


def test_a_bomb_in_a_header_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    head = entry("pax", tarfile.XHDTYPE)
    head.size = 7 << 30
    (tmp_path / "a.tar").write_bytes(head.tobuf(tarfile.USTAR_FORMAT) + bytes(10_240))
    refused(tmp_path / "a.tar", "tar", "member '.header.'; got '7516192768 bytes'")


def test_the_usual_bounds_grow_with_the_archive_and_a_setting_replaces_them(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    os.truncate(path.touch() or path, 100_000_000)
    assert Bounds.of(path).total == 5_000_000_000
    assert Bounds.of(path, 7).total == 7


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_files_are_refused(tmp_path: Path, kind: str) -> None:
    names = [f"{number}" for number in range(20)]
    if kind == "zip":
        archive = zipped(tmp_path / "a", *((name, b"") for name in names))
    else:
        archive = tar(tmp_path / "a", *((entry(name), b"") for name in names))
    assert unpack(archive, tmp_path / "all", kind, Bounds(total=10, files=20)) == 20
    refused(archive, kind, "more than 19 files", Bounds(total=10, files=19))


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("left", [0.3, 0.95])
def test_a_cut_tar_is_damaged(tmp_path: Path, mode: str, left: float) -> None:
    archive = tar(tmp_path / "a.tar", *((entry(f"{n}"), os.urandom(3000)) for n in range(9)), mode=mode)
    os.truncate(archive, int(archive.stat().st_size * left))
    refused(archive, "tar", "damaged|breaks off")


def test_a_tar_that_ends_between_two_files_is_damaged_though_the_library_takes_it(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", (entry("a"), b"1" * 512), (entry("b"), b"2" * 512))
    os.truncate(archive, 1024)
    with tarfile.open(archive) as content:
        assert content.getnames() == ["a"]
    refused(archive, "tar", "breaks off or is garbled at byte 1024")


def test_a_tar_with_a_garbled_header_is_damaged_though_the_library_takes_it(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", (entry("a"), b"1" * 512), (entry("b"), b"2" * 512))
    content = bytearray(archive.read_bytes())
    content[1024 + 100] ^= 1
    archive.write_bytes(content)
    refused(archive, "tar", "breaks off or is garbled at byte 1024")


def test_a_wrong_checksum_is_seen(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(b"1,2,3" * 1000))
    content[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(content)
    refused(tmp_path / "a.gz", "gz", "damaged")


def test_the_checksum_behind_the_end_of_a_tar_is_read(tmp_path: Path) -> None:
    archive = good_tar(tmp_path / "a.tar", "w:gz")
    content = bytearray(archive.read_bytes())
    content[-6] ^= 1
    archive.write_bytes(content)
    refused(archive, "tar", "damaged")


@pytest.mark.parametrize("kind", ["zip", "tar", "gz"])
@pytest.mark.parametrize("content", [b"", b"no archive at all" * 99, lzma.compress(b"no tar")])
def test_what_is_no_archive_is_told(tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    refused(tmp_path / "a.bin", kind, "archive a.bin is damaged")


def test_an_encrypted_zip_is_told(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("x", b"1"))
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refused(archive, "zip", "encrypted")
