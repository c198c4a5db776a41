import pytest
import timm
import torch
from torch import Tensor, nn

from isnet import lrp
from isnet.deep_supervision import default_layers, layer_mask, over_places


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("test_resnet", ["layer1", "layer2", "layer3", "layer4"]),
        (
            "densenet121",
            ["features.transition1.norm", "features.transition2.norm", "features.transition3.norm", "features.norm5"],
        ),
        ("vgg11", ["features.2", "features.5", "features.10", "features.15", "features.20"]),
        ("test_efficientnet", ["blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4"]),
    ],
)
def test_default_layers_are_those_of_the_papers(name: str, layers: list[str]) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    assert default_layers(model) == layers


def test_an_unknown_network_has_no_default() -> None:
    with pytest.raises(ValueError, match="no default layers for deep supervision of a Sequential: name its layers"):
        default_layers(nn.Sequential(nn.Linear(2, 2)))


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_hidden_relevance_comes_with_a_mask_that_fits(name: str) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    x, mask = torch.rand(2, 3, 96, 96).requires_grad_(), torch.zeros(2, 1, 96, 96)
    mask[:, :, 10:50, 30:60] = 1
    names = default_layers(model)
    with lrp.record(model, names) as hidden:
        logits = model(x)
    maps = lrp.relevance(logits, x, torch.tensor([0, 2]), at=[hidden[each] for each in names])
    for each, heatmap in zip(names, maps[1:], strict=True):
        small = layer_mask(mask, heatmap, each)
        assert small.shape[2:] == heatmap.shape[2:]
        assert set(small.unique().tolist()) <= {0.0, 1.0}
        assert small.mean() >= mask.mean()


@pytest.mark.parametrize("shape", [(2, 50, 64), (2, 7, 7, 64), (2, 64, 200, 200), (2, 8, 6, 7, 64)])
def test_tokens_and_channels_last_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"layer 'blocks.3' has relevance .* not \[B, C, h, w\]"):
        layer_mask(torch.ones(2, 1, 112, 112), torch.rand(shape), "blocks.3")


@pytest.mark.parametrize(("size", "layer"), [((28, 28), (3, 3)), ((97, 45), (13, 6)), ((224, 160), (7, 5))])
def test_maps_with_rounded_sides_are_accepted(size: tuple[int, int], layer: tuple[int, int]) -> None:
    assert layer_mask(torch.ones(1, 1, *size), torch.rand(1, 4, *layer), "").shape == (1, 1, *layer)


def losses(*values: float) -> list[Tensor]:
    return [torch.tensor(value) for value in values]


def test_the_worst_place_weighs_most() -> None:
    assert over_places(losses(1.0, 3.0, 2.0), 0.5).item() == pytest.approx((3 + 2 / 2 + 1 / 4) / 1.75)
    assert over_places(losses(1.0, 3.0, 2.0), 1.0).item() == pytest.approx(2)
    only = torch.tensor(0.7)
    assert over_places([only], 0.8) is only
