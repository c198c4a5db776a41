import shutil
from pathlib import Path

import pytest
from repository import ROOT, copy_repository


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout to copy")
    return copy_repository(tmp_path / "clone")
