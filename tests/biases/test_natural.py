import numpy as np
import pytest
from made_images import shuffled_index, with_pixels

from benchmark.api import NO_CODE
from benchmark.biases.natural import Natural
from benchmark.errors import BenchmarkError
from benchmark.inject import inject
from benchmark.plan import plan

SPLITS = {"train": "train", "val": "val", "iid": "test", "external": "external"}


def natural(**dials):
    return Natural(Natural.Settings(**dials))


def test_every_image_is_shown_once_as_it_is():
    images = with_pixels(shuffled_index(80, 3, ("train", "val", "test", "external")))
    subsets = inject(images, natural())
    assert list(subsets) == list(SPLITS)
    for name, split in SPLITS.items():
        subset, own = subsets[name], images.take(images.split == split)
        for column, values in own.columns().items():
            assert np.array_equal(getattr(subset.images, column), values), column
        assert not subset.mark.any()
        assert set(subset.code.tolist()) == {NO_CODE}


def test_without_other_sources_there_is_no_external_test():
    assert list(plan(shuffled_index(60, 3), natural())) == ["train", "val", "iid"]


def test_one_class_is_no_matter():
    assert list(plan(shuffled_index(60, 1), natural())) == ["train", "val", "iid"]


def test_a_correlation_is_refused():
    with pytest.raises(BenchmarkError, match=r"'natural'; got 0\.9; expected 1: .*take the bias 'source'"):
        plan(shuffled_index(60, 3), natural(correlation=0.9))


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_an_empty_split_is_refused(name):
    index = shuffled_index(60, 3)
    with pytest.raises(BenchmarkError, match=f"split '{name}' holds no image"):
        plan(index.take(index.split != name), natural())


@pytest.mark.parametrize("dial", ["strength", "prevalence", "codes", "label_noise", "counterfactuals"])
def test_it_has_no_dial_of_a_planted_bias(dial):
    with pytest.raises(ValueError, match=rf"{dial}\n.*not permitted"):
        Natural.Settings(**{dial: 1})
