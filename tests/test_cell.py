import re
import string
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.cell import Cell, check_name, expand
from benchmark.errors import BenchmarkError

BAD = ["mnist-5k", "a@b", "a:b", "a/b", "a b", "Mnist", "mNist", "", "5k", "_a", "a.b", "a\n", " a", "é", "naïve", "a٣"]
LETTERS = string.ascii_lowercase
NAMES = st.builds("".join, st.tuples(st.sampled_from(LETTERS), st.text(LETTERS + string.digits + "_", max_size=8)))


@pytest.mark.parametrize("name", [*BAD, None, 5, 5.0, True, ["erm"], b"erm"])
def test_an_unusable_name_is_refused_by_name(name):
    got = "None" if name is None else name
    with pytest.raises(BenchmarkError, match=f"^method name is not usable.*got {re.escape(repr(got))}.*Rename it"):
        check_name("method", name)


@pytest.mark.parametrize("name", ["a", "mnist5k", "isnet_path", "z9_", "a__b"])
def test_a_usable_name_passes_unchanged(name):
    assert check_name("method", name) == name


@pytest.mark.parametrize("kind", ["dataset", "bias", "method"])
@pytest.mark.parametrize("name", BAD)
def test_no_cell_holds_an_unusable_name(kind, name):
    names = {"dataset": "mnist5k", "bias": "corner", "method": "erm"}
    with pytest.raises(BenchmarkError, match=f"{kind} name is not usable"):
        Cell(**{**names, kind: name})


@settings(deadline=None)
@given(NAMES, NAMES, NAMES)
def test_a_key_reads_back(dataset, bias, method):
    cell = Cell(dataset, bias, method)
    assert cell.key == "-".join([dataset, bias, method])
    assert Cell.parse(cell.key) == cell
    assert cell.task == f"{dataset}-{bias}"


@settings(deadline=None)
@given(st.sets(st.tuples(NAMES, NAMES, NAMES), min_size=2, max_size=6))
def test_two_cells_never_share_a_key(names):
    assert len({Cell(*each).key for each in names}) == len(names)


@pytest.mark.parametrize("key", ["", "mnist5k", "mnist5k-corner", "mnist5k-corner-erm-0", "mnist5k_corner_erm"])
def test_a_key_without_three_names_is_refused(key):
    with pytest.raises(BenchmarkError, match=f"cell key; got '{key}'; expected dataset-bias-method"):
        Cell.parse(key)


@pytest.mark.parametrize("key", ["mnist5k--erm", "mnist5k-corner-ERM", "mnist5k-corner-erm@0", "-corner-erm"])
def test_a_key_of_unusable_names_is_refused(key):
    with pytest.raises(BenchmarkError, match="name is not usable"):
        Cell.parse(key)


def test_the_suite_is_the_product_and_the_last_list_turns_fastest():
    keys = [cell.key for cell in expand(["a", "b"], ["c"], ["e", "d"])]
    assert keys == ["a-c-e", "a-c-d", "b-c-e", "b-c-d"]


def test_the_suite_has_the_order_and_the_keys_of_dvc(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  train:\n    matrix:\n      dataset: [b2, a_1]\n      bias: [y, x]\n      method: [n, m, k]\n"
        "    cmd: echo ${key}\n"
    )
    command = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    cells = expand(["b2", "a_1"], ["y", "x"], ["n", "m", "k"])
    assert listed.stdout.split() == [f"train@{cell.key}" for cell in cells]
