import hashlib
from importlib import metadata
from pathlib import Path

import pytest

from benchmark.provenance import PACKAGES, TRAINING_CODE, fingerprint, package_versions, source_hash

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def code(tmp_path):
    (tmp_path / "lib" / "deep").mkdir(parents=True)
    (tmp_path / "lib" / "b.py").write_text("B")
    (tmp_path / "lib" / "deep" / "a.py").write_text("A")
    (tmp_path / "one.py").write_text("1")
    return tmp_path


def test_the_hash_is_that_of_names_and_contents(code):
    by_hand = hashlib.sha256(b"lib/b.py\0B\0lib/deep/a.py\0A\0one.py\x001\0")
    assert source_hash(("lib", "one.py"), code) == by_hand.hexdigest()


@pytest.mark.parametrize(
    "edit",
    [
        lambda root: (root / "lib" / "deep" / "a.py").write_text("A "),
        lambda root: (root / "lib" / "b.py").rename(root / "lib" / "c.py"),
        lambda root: (root / "lib" / "new.py").write_text(""),
        lambda root: (root / "one.py").unlink() or (root / "one.py").write_text("2"),
    ],
    ids=["content", "name", "one more", "a single file"],
)
def test_every_edit_of_the_code_counts(code, edit):
    before = source_hash(("lib", "one.py"), code)
    edit(code)
    assert source_hash(("lib", "one.py"), code) != before


def test_what_is_no_code_does_not_count(code):
    before = source_hash(("lib",), code)
    (code / "lib" / "__pycache__").mkdir()
    (code / "lib" / "__pycache__" / "b.pyc").write_bytes(b"\0")
    (code / "lib" / "notes.md").write_text("new")
    (code / "other.py").write_text("new")
    assert source_hash(("lib",), code) == before


def test_the_training_code_is_there():
    assert [part for part in TRAINING_CODE if not (ROOT / part).exists()] == []
    assert source_hash() == source_hash(TRAINING_CODE, ROOT)


def test_a_fingerprint_depends_on_the_facts_and_not_on_their_order():
    assert fingerprint({"a": 1, "b": {"c": 2.5, "d": None}}) == fingerprint({"b": {"d": None, "c": 2.5}, "a": 1})
    assert fingerprint({"a": 1}) == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert len({fingerprint({"lr": value}) for value in (0.1, 0.2, "0.1", None)}) == 4


def test_a_fingerprint_refuses_nan():
    with pytest.raises(ValueError, match="JSON"):
        fingerprint({"lr": float("nan")})


def test_versions_are_the_installed_ones():
    assert package_versions() == {name: metadata.version(name) for name in PACKAGES}
    assert {"torch", "timm", "numpy"} <= set(PACKAGES)
