import shutil

import pytest
import toy_suite as toy


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return toy.make(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def project(template, tmp_path):
    """A suite of four cells, none of which was run."""
    return shutil.copytree(template, tmp_path / "project")
