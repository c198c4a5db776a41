import pytest
from submitted import toy_suite


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The working directory of a project with the suite ``toy``."""
    monkeypatch.chdir(tmp_path)
    toy_suite()
    return tmp_path
