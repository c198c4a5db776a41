"""One small residual network, written in many ways: one heatmap."""

import copy
from collections.abc import Callable

import pytest
import torch
from networks import Residual, images, residual
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from isnet import lrp
from isnet.lrp import oracle

TARGET = torch.tensor([0, 2])


class Written(Residual):
    """The same layers and weights; the activation and the way a block runs are chosen."""

    def __init__(self, relu: Callable[[Tensor], Tensor], run: Callable[..., Tensor] | None = None) -> None:
        super().__init__()
        self.activate = relu
        self.run = run or (lambda block, x: block(x))

    def block(self, x: Tensor) -> Tensor:
        return self.bn3(self.conv3(self.activate(self.bn2(self.conv2(x)))))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.activate(self.bn1(self.conv1(x))))
        return self.fc(self.activate(x + self.run(self.block, x)).mean((2, 3)))


class Functional(Residual):
    """No module but the parameters' owners is called."""

    def norm(self, x: Tensor, bn: nn.BatchNorm2d) -> Tensor:
        statistics = (None, None) if self.training else (bn.running_mean, bn.running_var)
        return functional.batch_norm(x, *statistics, bn.weight, bn.bias, self.training)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.conv1.weight, self.conv1.bias, padding=1)
        x = functional.max_pool2d(torch.relu(self.norm(x, self.bn1)), 3, 2, 1)
        y = functional.conv2d(x, self.conv2.weight, None, padding=1)
        y = functional.conv2d(self.norm(y, self.bn2).clamp_min(0), self.conv3.weight)
        y = functional.relu(torch.add(x, self.norm(y, self.bn3)))
        return functional.linear(functional.adaptive_avg_pool2d(y, 1).flatten(1), self.fc.weight, self.fc.bias)


class InPlace(Residual):
    """Sums and activations overwrite their input."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(functional.relu_(self.bn1(self.conv1(x))))
        y = self.bn3(self.conv3(self.bn2(self.conv2(x)).relu_()))
        y += x
        return self.fc(torch.relu_(y).mean((2, 3)))


def again(block: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    result: Tensor = checkpoint(block, x, use_reentrant=False)
    return result


VARIANTS: dict[str, Callable[[], Residual]] = {
    "module": lambda: Written(nn.ReLU()),
    "reused in-place module": lambda: Written(nn.ReLU(inplace=True)),
    "functions": Functional,
    "in-place functions": InPlace,
    "maximum with 0": lambda: Written(lambda x: functional.leaky_relu(x, 0.0)),
    "checkpointed": lambda: Written(nn.ReLU(), again),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_way_to_write_a_network_gives_one_heatmap(name: str, training: bool) -> None:
    net = residual().train(training)
    expected = oracle.relevance(net, images(), TARGET)
    variant = VARIANTS[name]().double()
    variant.load_state_dict(net.state_dict())
    found = lrp.explain(variant.train(training), images(), TARGET)
    assert oracle.difference(found, expected) < 1e-12


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["in-place functions", "functions"])
def test_the_oracle_reads_every_way_too(name: str, training: bool) -> None:
    net = residual().train(training)
    variant = VARIANTS[name]().double()
    variant.load_state_dict(net.state_dict())
    found = oracle.relevance(variant.train(training), images(), TARGET)
    assert oracle.difference(found, oracle.relevance(net, images(), TARGET)) < 1e-12


def test_channels_last() -> None:
    net = residual().eval()
    expected = lrp.explain(net, images(), TARGET)
    found = lrp.explain(
        copy.deepcopy(net).to(memory_format=torch.channels_last), images().to(memory_format=torch.channels_last), TARGET
    )
    assert oracle.difference(found, expected) < 1e-12


def test_float32_is_close_to_float64() -> None:
    net = residual().eval()
    expected = oracle.relevance(net, images(), TARGET)
    found = lrp.explain(copy.deepcopy(net).float(), images().float(), TARGET)
    assert found.dtype == torch.float32
    assert oracle.difference(found.double(), expected) < 1e-5


def test_autocast_keeps_a_float32_heatmap_near_the_exact_one() -> None:
    net = residual().eval()
    expected = oracle.relevance(net, images(), TARGET).flatten()
    single = copy.deepcopy(net).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = lrp.explain(single, images().float(), TARGET)
    assert found.dtype == torch.float32
    assert functional.cosine_similarity(found.flatten().double(), expected, 0) > 0.97


def test_training_and_evaluation_differ_by_their_statistics_only() -> None:
    """With the batch's statistics as running ones, evaluation gives the heatmap of training."""
    net = residual()
    for bn in (net.bn1, net.bn2, net.bn3):
        bn.momentum = 1.0
    trained = lrp.explain(net.train(), images(8), torch.arange(8) % 3)
    count = {"bn1": 8 * 36, "bn2": 8 * 9, "bn3": 8 * 9}
    for name, values in count.items():  # running variances are unbiased, those of a batch are not
        getattr(net, name).running_var.mul_((values - 1) / values)
    assert oracle.difference(lrp.explain(net.eval(), images(8), torch.arange(8) % 3), trained) < 1e-12
