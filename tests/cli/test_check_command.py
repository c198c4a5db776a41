import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.cli.main import main


def folder_of(tmp_path: Path, splits: tuple[str, ...], tint: int = 0) -> Path:
    """80 images of two classes, masked in the middle; ``tint`` brightens the second class's background."""
    lines = ["file,label,source,split,patient,mask"]
    mask = np.zeros((32, 32), np.uint8)
    mask[12:20, 12:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for n in range(80):
        image = np.random.default_rng(n).integers(60, 120, (32, 32)) + tint * (n % 2) * (mask == 0)
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{n}.png")
        lines.append(f"{n}.png,{'ab'[n % 2]},here,{splits[n // 2 % len(splits)]},p{n // 2},mask.png")
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_clean_folder_ends_with_0_and_writes_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, ("train", "test"))
    assert main(["check-data", str(folder), "--json", str(tmp_path / "report.json")]) == 0
    assert "clean" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["images"] == 80
    assert sum(each["images"] for each in report["counts"]) == 80
    assert report["units"] == 40


def test_an_alarm_ends_with_1_only_where_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, ("train", "test"), tint=40)
    assert main(["check-data", str(folder)]) == 0
    assert "Shortcut alarm" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["check-data", str(folder), "--strict"])
    assert end.value.code == 1


def test_a_leak_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, ("train", "test"))
    text = (folder / "index.csv").read_text().replace(",p1,", ",p0,")
    (folder / "index.csv").write_text(text)
    with pytest.raises(SystemExit) as end:
        main(["check-data", str(folder)])
    assert end.value.code == 1
    assert "1 patients are in two splits" in capsys.readouterr().out


def test_words_for_splits_are_translated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, ("train", "holdout"))
    with pytest.raises(SystemExit):
        main(["check-data", str(folder)])
    assert "holdout" in capsys.readouterr().out
    assert main(["check-data", str(folder), "--split", "holdout=test"]) == 0


@pytest.mark.parametrize("arguments", [["gone"], ["."], [".", "--csv", "other.csv"], [".", "--split", "test"]])
def test_what_cannot_be_checked_is_an_error_in_one_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check-data", *arguments]) != 0
    assert capsys.readouterr().err.startswith("error: ")


def test_listing_what_there_is_does_not_load_the_check() -> None:
    code = "import sys, benchmark.cli.main; sys.exit('sklearn' in sys.modules or 'imagehash' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
