"""A backbone's name with arguments behind it, and the networks that are made of one: classifier, U-Net, encoder."""

import pytest
import torch

from benchmark.api import Task
from benchmark.backbone import create_classifier, create_encoder, create_unet, parse
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


@pytest.mark.parametrize(
    ("backbone", "size", "depth", "deepest"),
    [
        ("test_resnet", 28, 2, (32, 7, 7)),
        ("test_resnet", 28, 5, (96, 1, 1)),
        ("test_resnet", 64, 5, (96, 2, 2)),
        ("test_mambaout", 64, 5, (256, 2, 2)),  # channels last, and no map of half the image's size
    ],
)
def test_a_unet_gives_a_logit_for_every_pixel(backbone: str, size: int, depth: int, deepest: tuple[int, ...]) -> None:
    model = create_unet(Task(backbone, 3, 1, size, size), depth=depth)
    image = torch.zeros(2, 1, size, size)
    assert model(image).shape == (2, 1, size, size)
    found = model.encoder(image)[-1].shape[1:]
    assert found[1:] == deepest[1:]
    assert backbone != "test_resnet" or found[0] == deepest[0]


def test_a_unet_with_classes_gives_their_logits_too() -> None:
    masks, logits = create_unet(Task("test_resnet", 3, 3, 28, 20), classes=3)(torch.zeros(2, 3, 28, 20))
    assert masks.shape == (2, 1, 28, 20)
    assert logits.shape == (2, 3)


def test_the_decoder_of_a_unet_is_as_wide_as_its_encoder_within_the_limit() -> None:
    def widths(limit: int) -> list[int]:
        model = create_unet(Task("test_resnet", 3, 1, 28, 28), width=limit)
        return [block.conv2[0].out_channels for block in model.decoder.blocks]

    assert widths(256) == [192, 48, 32, 32, 16]  # test_resnet has 32, 32, 48, 192, 96
    assert widths(64) == [64, 32, 16, 8, 4]


def test_what_cannot_encode_for_a_unet_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"test_vit patch_size=7' cannot encode images of 28 x 28 px for a U-Net"):
        create_unet(Task("test_vit patch_size=7", 3, 1, 28, 28))


@pytest.mark.parametrize(("grid", "module"), [(1, "layer4"), (2, "layer3"), (7, "layer1"), (14, "act1")])
def test_an_encoder_ends_at_the_deepest_map_of_at_least_that_size(grid: int, module: str) -> None:
    task = Task("test_resnet", 3, 1, 28, 28)
    torch.manual_seed(0)
    encoder = create_encoder(task, grid).eval()
    whole = create_classifier(task).eval()
    # The same weights under other names: the stages in front of the chosen one, in their order.
    shared = [value for name, value in whole.state_dict().items() if "fc" not in name]
    own = encoder.state_dict()
    encoder.load_state_dict(dict(zip(own, shared, strict=False)))
    seen: list[torch.Tensor] = []
    whole.get_submodule(module).register_forward_hook(lambda *call: seen.append(call[2]))
    image = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        whole(image)
        found = encoder(image)
    assert found.shape[1] == encoder.channels
    torch.testing.assert_close(found, seen[0])


def test_maps_with_channels_last_come_with_channels_first() -> None:
    encoder = create_encoder(Task("test_mambaout", 3, 1, 64, 64), 8)
    assert encoder(torch.zeros(2, 1, 64, 64)).shape == (2, encoder.channels, 8, 8)


def test_a_transformers_tokens_are_a_map_of_patches() -> None:
    encoder = create_encoder(Task("test_vit patch_size=7", 3, 1, 28, 28), 4)
    assert encoder(torch.zeros(2, 1, 28, 28)).shape == (2, 64, 4, 4)


def test_an_encoder_without_a_map_that_is_large_enough_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"no feature map of 15 pixels a side or more.*\(14, 14\).*Lower grid"):
        create_encoder(Task("test_resnet", 3, 1, 28, 28), 15)
