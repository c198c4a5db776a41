"""The relevance engine against a second implementation: every layer a dense matrix, the rules written on vectors."""

import pytest
import torch
from networks import Residual, images, residual
from torch import Tensor, nn
from torch.func import jacrev

from isnet import lrp


def conv_matrix(conv: nn.Conv2d, shape: tuple[int, ...]) -> Tensor:
    """``[outputs, inputs]`` of a convolution without its bias."""

    def run(flat: Tensor) -> Tensor:
        image = flat.view(1, *shape)
        return nn.functional.conv2d(image, conv.weight, None, conv.stride, conv.padding).flatten()

    return jacrev(run)(torch.zeros(torch.Size(shape).numel(), dtype=torch.float64)).detach()


def norm_vectors(bn: nn.BatchNorm2d, z: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    """Scale and shift a channel, from the batch ``z`` in training (biased variance), else from the running values."""
    if training:
        mean, var = z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False)
    else:
        mean, var = bn.running_mean, bn.running_var
    scale = bn.weight / (var + bn.eps).sqrt()
    return scale.detach(), (bn.bias - mean * scale).detach()


def winners(y: Tensor) -> Tensor:
    """``[outputs, inputs]`` of a 3/2 max pool with padding 1, by hand: one 1 a row, columns may win twice."""
    channels, height, width = y.shape
    rows = []
    for c in range(channels):
        for top in range(-1, height - 1, 2):
            for left in range(-1, width - 1, 2):
                inside = [
                    (y[c, i, j].item(), i, j)
                    for i in range(max(top, 0), min(top + 3, height))
                    for j in range(max(left, 0), min(left + 3, width))
                ]
                best = max(inside, key=lambda entry: entry[0])
                row = torch.zeros_like(y)
                row[c, best[1], best[2]] = 1
                rows.append(row.flatten())
    return torch.stack(rows)


def dense_relevance(net: Residual, x: Tensor, target: Tensor, eps: float, training: bool) -> Tensor:
    """LRP-epsilon with R_j = a_j sum_k w_jk R_k/(z_k + eps) at ReLUs and epsilon 0 elsewhere, one image at a time."""
    z1 = net.conv1(x)
    s1, t1 = norm_vectors(net.bn1, z1, training)
    y1 = (s1.view(1, -1, 1, 1) * z1 + t1.view(1, -1, 1, 1)).relu()
    pooled = nn.functional.max_pool2d(y1, 3, 2, 1)
    z2 = net.conv2(pooled)
    s2, t2 = norm_vectors(net.bn2, z2, training)
    y2 = (s2.view(1, -1, 1, 1) * z2 + t2.view(1, -1, 1, 1)).relu()
    z3 = net.conv3(y2)
    s3, t3 = norm_vectors(net.bn3, z3, training)
    y3 = (pooled + s3.view(1, -1, 1, 1) * z3 + t3.view(1, -1, 1, 1)).relu()
    size = pooled[0].numel() // 4
    result = []
    for i in range(len(x)):
        a3, a2, a1, a0 = y3[i].flatten(), y2[i].flatten(), y1[i].flatten(), pooled[i].flatten()
        mean = torch.kron(torch.eye(4, dtype=torch.float64), torch.full((1, size), 1 / size, dtype=torch.float64))
        relevance_y3 = a3 * (net.fc.weight[target[i]] @ mean)
        share3 = relevance_y3 / (a3 + eps)  # R_k / (z_k + eps); 0 where the unit is off
        w3 = s3.repeat_interleave(size)[:, None] * conv_matrix(net.conv3, tuple(y2[i].shape))
        relevance_y2 = a2 * (share3 @ w3)
        share2 = relevance_y2 / (a2 + eps)
        w2 = s2.repeat_interleave(size)[:, None] * conv_matrix(net.conv2, tuple(pooled[i].shape))
        relevance_pooled = a0 * (share3 + share2 @ w2)  # the identity path and the block
        per_winner = torch.where(a0 == 0, 0.0, relevance_pooled / a0)
        relevance_y1 = a1 * (per_winner @ winners(y1[i]))
        share1 = relevance_y1 / (a1 + eps)
        w1 = s1.repeat_interleave(x[i, 0].numel())[:, None] * conv_matrix(net.conv1, tuple(x[i].shape))
        result.append((x[i].flatten() * (share1 @ w1)).view(x[i].shape))
    return torch.stack(result).detach()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("eps", [1e-6, 1e-2, 1.0])
def test_engine_equals_dense_algebra(eps: float, training: bool) -> None:
    net = residual().train(training)
    x, target = images(3).requires_grad_(), torch.tensor([0, 2, 1])
    expected = dense_relevance(net, x.detach(), target, eps, training)
    found = lrp.relevance(net(x), x, target, eps=eps)
    assert expected.abs().sum() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def test_zb_rule_equals_its_formula() -> None:
    """One convolution with batch norm, ReLU and a linear layer: the z^B formula with explicit sums."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).double().eval()
    net[1].running_mean.normal_()
    net[1].bias.data.normal_()
    x, eps = images(1, channels=1, size=3), 1e-2
    w = net[0].weight * (net[1].weight / (net[1].running_var + net[1].eps).sqrt()).view(-1, 1, 1, 1)
    scale = net[1].weight / (net[1].running_var + net[1].eps).sqrt()
    b = net[1].bias + (net[0].bias - net[1].running_mean) * scale
    expected = torch.zeros(3, 3, dtype=torch.float64)
    for k in range(2):
        for i in range(2):
            for j in range(2):
                window = x[0, 0, i : i + 2, j : j + 2]
                z = (w[k, 0] * window).sum() + b[k]
                if z <= 0:
                    continue
                relevance = z * net[4].weight[1, k * 4 + i * 2 + j]
                parts = w[k, 0] * window - w[k, 0].clamp(max=0)  # l = 0, h = 1
                expected[i : i + 2, j : j + 2] += parts * relevance / (parts.sum() + b[k].clamp(min=0) + eps)
    found = lrp.explain(net, x, torch.tensor([1]), eps=eps, first="zb")
    torch.testing.assert_close(found[0, 0], expected.detach(), rtol=1e-10, atol=1e-13)
