import json

import numpy as np
import pytest

from benchmark.api import PlantedBias
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError
from benchmark.plan import Marks
from benchmark.scoring.validation import groups_of, is_right, read_validation


def marks(classes, **dials):
    return Marks(PlantedBias.Settings(**dials), classes)


def test_an_image_with_its_own_mark_is_aligned_and_every_other_is_not():
    label, code = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 1, 2, 1, 0, -1])
    assert groups_of(label, code, marks(3)).tolist() == [0, 2, 4, 1, 3, 5]


def test_a_class_with_several_marks_is_aligned_with_each():
    # six codes of three classes: class k has the codes k and k + 3
    label, code = np.array([0, 0, 0, 2, 2]), np.array([0, 3, 4, 5, 1])
    assert groups_of(label, code, marks(3, codes=6)).tolist() == [0, 0, 1, 4, 5]


def test_classes_that_share_a_mark_are_aligned_with_it():
    # two codes of four classes: the classes 0 and 2 have code 0, the others code 1
    label, code = np.array([0, 2, 1, 3, 3]), np.array([0, 0, 1, 1, 0])
    assert groups_of(label, code, marks(4, codes=2)).tolist() == [0, 4, 2, 6, 7]


def test_a_class_that_never_has_a_mark_is_aligned_without_one():
    label, code = np.array([0, 0, 1, 1]), np.array([-1, 1, 1, -1])
    assert groups_of(label, code, marks(2, prevalence=(0.0, 1.0))).tolist() == [0, 1, 2, 3]


@pytest.fixture
def pack(tmp_path):
    """Two classes; three of four training images carry their own mark."""

    def column(label, code):
        shape = (len(label), 4, 4)
        pixels = {"image": np.zeros((*shape, 1), np.uint8), "mask": np.zeros(shape, np.uint8)}
        return pixels | {"label": np.array(label), "code": np.array(code)}

    groups = {
        "train": column([0, 0, 1, 1], [0, 1, 1, 1]),
        "val": column([0, 1], [0, 1]),
        "balanced": column([0, 1, 1], [1, 1, 0]),
        "iid": column([0, 1, 1], [0, 0, 1]),
        "deceiving": column([0], [1]),
    }

    def write(*names, settings=None):
        path = tmp_path / "pack.h5"
        dials = PlantedBias.Settings().model_dump() | {"place": "corner"} if settings is None else settings
        write_columns(path, {name: groups[name] for name in names}, {"bias_settings": json.dumps(dials)})
        return path

    return write


def test_the_worst_group_is_chosen_where_marks_say_nothing(pack):
    found = read_validation(pack("train", "val", "balanced", "iid", "deceiving"), 2)
    assert (found.name, found.group.tolist()) == ("balanced", [1, 2, 3])
    assert found.share.tolist() == [0.25, 0.25, 0.5, 0]
    assert found.conflicting.tolist() == [1]  # an iid image with another's mark, as a correlation below 1 has them


def test_without_such_images_it_is_chosen_on_the_trainings_own(pack):
    found = read_validation(pack("train", "val", "iid", "deceiving"), 2)
    assert (found.name, found.group.tolist()) == ("val", [0, 2])


def test_a_natural_bias_has_no_groups(pack):
    assert read_validation(pack("train", "val"), 2) is None
    assert read_validation(pack("train", "val", "deceiving", settings={"correlation": 1.0}), 2) is None


def test_an_image_without_an_answer_is_not_taken_for_class_0(pack):
    found = read_validation(pack("train", "val", "balanced", "iid", "deceiving"), 2)
    said = np.array([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]])
    assert is_right(found, lambda image, mask: said).tolist() == [True, True, False]
    said[0, 1] = np.nan
    with pytest.raises(BenchmarkError, match=r"'balanced'.*1 of 3 images with one that is not finite"):
        is_right(found, lambda image, mask: said)
