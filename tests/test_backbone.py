"""A backbone's name, with arguments for timm's constructor behind it."""

import pytest
import torch

from benchmark.api import Task
from benchmark.backbone import create_classifier, parse
from benchmark.errors import BenchmarkError


def test_arguments_behind_the_name_are_parsed() -> None:
    assert parse("test_resnet") == ("test_resnet", {})
    assert parse("test_vit patch_size=4 drop_rate=0.1 class_token=false") == (
        "test_vit",
        {"patch_size": 4, "drop_rate": 0.1, "class_token": False},
    )


@pytest.mark.parametrize("wrong", ["test_vit patch_size", "test_vit patch_size=", "test_vit a=1=2", "test_vit a=b"])
def test_what_is_no_argument_is_refused(wrong: str) -> None:
    with pytest.raises(BenchmarkError, match=r"arguments of the backbone.*<argument>=<value>"):
        parse(wrong)


def test_a_transformer_is_made_for_the_tasks_image_size() -> None:
    model = create_classifier(Task("test_vit patch_size=4", 3, 1, 28, 20))
    assert model.pos_embed.shape[1] == 7 * 5 + 1
    assert model(torch.zeros(2, 1, 28, 20)).shape == (2, 3)


def test_an_argument_that_the_model_does_not_know_is_named() -> None:
    with pytest.raises(BenchmarkError, match=r"test_resnet patches=4.*unexpected keyword argument 'patches'"):
        create_classifier(Task("test_resnet patches=4", 3, 1, 28, 28))
