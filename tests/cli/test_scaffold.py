import tomllib
from pathlib import Path

import pytest

from benchmark.cli.main import main


def test_a_package_has_a_method_its_entry_point_and_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-method", "two_words"]) == 0
    names = sorted(path.name for path in (tmp_path / "two_words").iterdir())
    assert names == ["pyproject.toml", "test_two_words.py", "two_words.py"]
    project = tomllib.loads((tmp_path / "two_words" / "pyproject.toml").read_text())["project"]
    assert project["name"] == "two-words"
    assert project["entry-points"] == {"shortcut_bench.methods": {"two_words": "two_words:TwoWords"}}
    assert "class TwoWords(Method):" in (tmp_path / "two_words" / "two_words.py").read_text()
    assert capsys.readouterr().out.splitlines()[-1].startswith("next: `pip install --editable two_words`")


def test_an_empty_folder_is_filled_and_a_full_one_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-method", "idea", "--out", str(tmp_path / "empty")]) == 0
    mine = tmp_path / "full" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert main(["new-method", "idea", "--out", str(mine.parent)]) == 1
    assert "full is there already; expected a folder that is empty" in capsys.readouterr().err
    assert main(["new-method", "idea", "--out", str(mine)]) == 1
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("erm", "method 'erm' is there already; got 'built-in'"),
        ("My-Idea", "method name is not usable in a cell; got 'My-Idea'"),
        ("json", "a module cannot be named 'json'"),
        ("torch", "a module cannot be named 'torch'"),
        ("class", "a module cannot be named 'class'"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-method", name, "--out", str(tmp_path / "out")]) == 1
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
