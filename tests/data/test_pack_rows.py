import numpy as np
import pytest

from benchmark.data.pack_write import write_columns
from benchmark.data.rows import read_rows
from benchmark.errors import BenchmarkError


@pytest.fixture
def pack(tmp_path):
    columns = {"id": np.array(["a", "bé", "c", "d"]), "image": np.arange(16, dtype=np.uint8).reshape(4, 2, 2, 1)}
    write_columns(tmp_path / "pack.h5", {"iid": columns}, {})
    return tmp_path / "pack.h5"


def test_only_the_asked_rows_and_columns_come_with_texts_as_texts(pack):
    found = read_rows(pack, "iid", ("id", "image"), np.array([1, 3]))
    assert found["id"].tolist() == ["bé", "d"]
    assert found["image"][:, 0, 0, 0].tolist() == [4, 12]
    assert set(read_rows(pack, "iid", ("image",), np.array([0]))) == {"image"}


def test_no_rows_are_no_rows(pack):
    assert read_rows(pack, "iid", ("image",), np.array([], np.int64))["image"].shape == (0, 2, 2, 1)


@pytest.mark.parametrize(
    ("group", "names", "match"), [("ood", ("id",), "lacks the group 'ood'"), ("iid", ("id", "mark"), "lacks iid/mark")]
)
def test_what_is_not_there_is_named(pack, group, names, match):
    with pytest.raises(BenchmarkError, match=match):
        read_rows(pack, group, names, np.array([0]))
