import pytest
import torch
from explained import Given, Masked, convolutional, transformer
from torch import nn

from benchmark.api import Task
from benchmark.backbone import create_classifier
from benchmark.explainers.frozen import frozen
from benchmark.explainers.last_map import last_map
from benchmark.registry import METHODS


def name_of(model, image):
    with frozen(model):
        layer = last_map(model, image)
    return next(name for name, module in model.named_modules() if module is layer)


def deployed(method, backbone="test_resnet", side=28):
    found = METHODS.get(method)
    method = found(found.Settings())
    torch.manual_seed(0)
    return method.deploy(method.build(Task(backbone, 3, 1, side, side, 10))).eval()


def goes_around(model, layer, image, other):
    """Whether the logits of two images differ although ``layer`` returns the same for both."""
    kept = []
    with torch.no_grad():
        hook = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output.clone()))
        first = model(image)
        hook.remove()
        hook = layer.register_forward_hook(lambda _module, _inputs, output: kept[-1].clone())
        second = model(other)
        hook.remove()
        assert not torch.allclose(model(other), first)
    return not torch.allclose(first, second)


LAYERS = {
    ("erm", "test_resnet", 28): "layer1",
    ("erm", "resnet18", 28): "layer1",
    ("erm", "resnet18", 224): "layer4",
    ("erm", "densenet121", 64): "features.transition2.conv",
    ("group_dro", "test_resnet", 28): "layer1",
    ("unet_classifier", "test_resnet", 28): "classifier.layer1",
    ("multitask_unet", "test_resnet", 28): "encoder.model.layer1",
    ("ag_sononet", "test_resnet", 28): "stages.2",
    ("ham", "test_resnet", 28): "network.mix",
}


@pytest.mark.parametrize(("method", "backbone", "side"), LAYERS)
def test_the_map_of_a_deployed_network_and_nothing_goes_around_it(method, backbone, side):
    model = deployed(method, backbone, side)
    image, other = torch.rand(2, 2, 1, side, side, generator=torch.Generator().manual_seed(0))
    name = name_of(model, image)
    assert name == LAYERS[method, backbone, side]
    assert not goes_around(model, model.get_submodule(name), image, other)


@pytest.mark.parametrize("name", ["gates.0.psi", "gates.1.theta", "stages.4"])
def test_attention_scores_beside_a_map_are_not_the_map(name):
    model = deployed("ag_sononet")
    image, other = torch.rand(2, 2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert goes_around(model, model.get_submodule(name), image, other)


def test_a_transformer_is_refused():
    model = create_classifier(Task("test_vit patch_size=7", 3, 1, 28, 28))
    with pytest.raises(NotImplementedError, match="transformer"):
        name_of(model, torch.rand(1, 1, 28, 28))
    with pytest.raises(NotImplementedError, match="transformer"):
        name_of(transformer(), torch.rand(1, 2, 16, 16))


def test_a_wrapper_with_a_given_mask_is_looked_through():
    image = torch.rand(3, 2, 16, 16)
    assert name_of(Given(Masked(convolutional()), torch.ones(3, 1, 16, 16)), image) == "network.network.5"


class Branched(nn.Module):
    """A residual connection whose branch runs last, and a second map that nobody asks for."""

    def __init__(self):
        super().__init__()
        self.stem, self.branch, self.unused = (nn.Conv2d(1, 1, 3, padding=1) for _ in range(3))

    def forward(self, image):
        stem = self.stem(image)
        branch = self.branch(stem)
        self.unused(branch)
        return (stem + branch).mean((2, 3))


def test_neither_a_branch_nor_an_unused_map_is_the_last_map():
    assert name_of(Branched(), torch.rand(2, 1, 8, 8)) == "stem"


class Segmented(nn.Module):
    """A network that makes a soft mask, then one that classifies what is left."""

    def __init__(self, hard):
        super().__init__()
        self.segmenter, self.classifier, self.hard = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 2, 3), hard

    def forward(self, image):
        mask = self.segmenter(image).sigmoid()
        return self.classifier(image * ((mask > 0.5).float() if self.hard else mask)).mean((2, 3))


@pytest.mark.parametrize("hard", [True, False])
def test_of_a_segmenter_and_a_classifier_it_is_the_classifiers(hard):
    assert name_of(Segmented(hard), torch.rand(2, 1, 9, 9)) == "classifier"


def test_where_no_map_is_large_the_largest_is_taken_the_last_of_equals():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 2, stride=2), nn.ReLU(), nn.Conv2d(2, 2, 2, stride=2), nn.Flatten(), nn.Linear(8, 2)
    )
    assert name_of(network, torch.rand(1, 1, 8, 8)) == "1"  # 4 x 4 px, before 2 x 2


def test_a_normalised_input_is_no_convolutional_map():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(NotImplementedError, match="no convolutional map of more than one pixel"):
        name_of(network, torch.rand(2, 1, 8, 8))


def test_single_pixels_are_no_map():
    network = nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(NotImplementedError, match="no convolutional map of more than one pixel"):
        name_of(network, torch.rand(2, 1, 8, 8))


def test_an_image_that_the_logits_do_not_depend_on_has_no_map():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, image):
            return self.conv(image).mean((2, 3)).detach()

    with pytest.raises(NotImplementedError, match="no convolutional map"):
        name_of(Constant(), torch.rand(2, 1, 8, 8))


def test_a_network_of_tokens_without_attention_is_refused():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.block, self.head = nn.Conv2d(1, 4, 2, stride=2), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, image):
            return self.head(self.block(self.patches(image).flatten(2).transpose(1, 2)).mean(1))

    with pytest.raises(NotImplementedError, match="tokens"):
        name_of(Mixer(), torch.rand(2, 1, 16, 16))
