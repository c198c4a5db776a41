import pickle

import pytest

from benchmark.errors import BenchmarkError, raise_unknown


def test_the_sentence_holds_the_four_parts():
    error = BenchmarkError("mask of image 'a'", got=[0, 2], expected="0 and 1", do="Threshold it.")
    assert str(error) == "mask of image 'a'; got [0, 2]; expected 0 and 1. Threshold it."
    assert (error.what, error.got, error.expected, error.do) == (
        "mask of image 'a'",
        [0, 2],
        "0 and 1",
        "Threshold it.",
    )


def test_a_part_that_is_not_given_is_left_out():
    assert str(BenchmarkError("pack is missing")) == "pack is missing."
    assert str(BenchmarkError("pack is missing", do="Make it.")) == "pack is missing. Make it."


@pytest.mark.parametrize("value", [0, "", (), False])
def test_a_value_that_counts_as_false_is_told(value):
    assert str(BenchmarkError("seeds", got=value)) == f"seeds; got {value!r}."


class Narrow(BenchmarkError):
    """A subclass, as a plug-in may bring."""


@pytest.mark.parametrize("kind", [BenchmarkError, Narrow])
def test_an_error_comes_back_from_a_worker_process_as_it_was(kind):
    error = kind("loss", got=1.5, expected="a finite number", do="Lower lr.")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_unknown_names_come_with_their_neighbours():
    with pytest.raises(BenchmarkError, match=r"unknown method; got 'isnt'; expected did you mean 'isnet'\? one of"):
        raise_unknown("method", "isnt", ["erm", "isnet"])


def test_unknown_names_far_from_all_come_with_the_whole_list():
    with pytest.raises(BenchmarkError, match=r"got 'zzzz'; expected one of erm, isnet\. Install it\.") as caught:
        raise_unknown("method", "zzzz", ["isnet", "erm"], do="Install it.")
    assert "did you mean" not in str(caught.value)


def test_unknown_in_an_empty_table():
    with pytest.raises(BenchmarkError, match=r"unknown bias; got 'x'; expected one of \(none registered\)"):
        raise_unknown("bias", "x", [])


def test_bad_input_is_a_value_error():
    with pytest.raises(ValueError, match="bad"):
        raise BenchmarkError("bad")
