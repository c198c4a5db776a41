import math

import numpy as np
import pytest
import torch
from explained import seen, transformer
from torch import nn

from benchmark.api import Task
from benchmark.backbone import create_classifier
from benchmark.explainers.attention_rollout import attentions, explain, rollout


def test_two_blocks_by_hand():
    first = torch.tensor([[[0.2, 0.8], [0.6, 0.4]], [[0.4, 0.6], [0.2, 0.8]]])[None]  # two heads
    second = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])[None]  # one head
    # head means (0.3 0.7; 0.4 0.6) and (1 0; 0.5 0.5); halved with the identity (0.65 0.35; 0.2 0.8), (1 0; 0.25 0.75)
    # second times first: (0.65 0.35; 0.1625 + 0.15, 0.0875 + 0.6)
    expected = torch.tensor([[[0.65, 0.35], [0.3125, 0.6875]]])
    torch.testing.assert_close(rollout([first, second]), expected)


def one_block(**arguments):
    """A block in which every token attends to patch ``p`` by ``exp(3 ln 2 s_p)``, to the class token by 1.

    ``s_p`` is the mean brightness of the patch. Tokens are ``(s_p, 1)``, the class token is ``(0, 1)``.
    """
    network = transformer(
        channels=1, img_size=4, patch_size=2, embed_dim=2, num_heads=1, depth=1, qkv_bias=False, **arguments
    )
    block = network.blocks[0]
    block.norm1 = nn.Identity()
    with torch.no_grad():
        network.pos_embed.zero_()
        network.patch_embed.proj.weight.zero_()
        network.patch_embed.proj.weight[0].fill_(1 / 4)
        network.patch_embed.proj.bias.copy_(torch.tensor([0.0, 1.0]))
        if network.cls_token is not None:
            network.cls_token.copy_(torch.tensor([0.0, 1.0]).expand(1, 1, 2))
        block.attn.qkv.weight.zero_()
        block.attn.qkv.weight[0, 1] = (
            3 * math.log(2) * math.sqrt(2)
        )  # query (3 ln 2 sqrt 2, 0); the scale is 1 / sqrt 2
        block.attn.qkv.weight[2, 0] = 1.0  # key (s, 0)
    return network.eval()


def patches(values):
    """An image of 4 x 4 px of four flat patches."""
    return torch.tensor(values).reshape(1, 1, 2, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_one_block_read_by_the_class_token_by_hand():
    # scores 1 : 1 2 4 8 of the class token and the patches, of 16; half of the class token's row is its own
    found = explain(one_block(), patches([0.0, 1 / 3, 2 / 3, 1.0]), torch.tensor([0]))[0, 0]
    corners = found[[0, 0, 3, 3], [0, 3, 0, 3]]
    torch.testing.assert_close(corners, torch.tensor([1.0, 2.0, 4.0, 8.0]) / 32)
    # bilinear: a quarter of the way from the first patch to the second, and from there to the third and fourth
    assert found[0, 1].item() == pytest.approx((0.75 * 1 + 0.25 * 2) / 32)
    assert found[1, 1].item() == pytest.approx((0.5625 * 1 + 0.1875 * 2 + 0.1875 * 4 + 0.0625 * 8) / 32)


def test_one_block_read_by_the_mean_of_the_patches_by_hand():
    network = one_block(class_token=False, global_pool="avg")
    found = explain(network, patches([0.0, 1 / 3, 2 / 3, 1.0]), torch.tensor([0]))[0, 0]
    # every row is 1 2 4 8 of 15, halved; of the other half each patch has the quarter that is its own row
    corners = found[[0, 0, 3, 3], [0, 3, 0, 3]]
    torch.testing.assert_close(corners, torch.tensor([1.0, 2.0, 4.0, 8.0]) / 30 + 1 / 8)
    assert found.mean().item() * 4 == pytest.approx(1)


def test_uniform_attention_leaves_the_identity_half_a_block():
    # with the projection P on the mean, (P / 2 + I / 2)^L = (1 - 2^-L) P + 2^-L I
    network = transformer(depth=4).eval()
    for block in network.blocks:
        nn.init.zeros_(block.attn.qkv.weight)
        nn.init.zeros_(block.attn.qkv.bias)
    image, target = seen(count=2)
    found = explain(network, image, target).sum(1)
    torch.testing.assert_close(found, torch.full_like(found, (1 - 2**-4) / 17))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("norm", [False, True])
def test_the_matrices_are_those_that_the_network_uses(fused, norm):
    network, (image, _) = transformer(qk_norm=norm).eval(), seen()
    used = []
    for block in network.blocks:  # what comes to the dropout of unfused attention is its softmax
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_pre_hook(lambda _module, inputs: used.append(inputs[0].detach()))
    with torch.no_grad():
        network(image)
    expected = list(used)
    for block in network.blocks:
        block.attn.fused_attn = fused
    with torch.no_grad():
        _, found = attentions(network, image)
    assert len(found) == len(expected) == 3
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
        assert one.std() > 0.015  # far from uniform
    rolled = [0.5 * each.double().mean(1).numpy() + 0.5 * np.eye(17) for each in expected]
    by_numpy = [np.linalg.multi_dot([block[row] for block in reversed(rolled)]) for row in range(len(image))]
    np.testing.assert_allclose(rollout(found), np.stack(by_numpy), atol=1e-6)


def test_the_rest_of_the_row_is_the_class_tokens():
    network, (image, target) = transformer().eval(), seen()
    with torch.no_grad():
        rolled = rollout(attentions(network, image)[1])
    torch.testing.assert_close(rolled.sum(2), torch.ones(5, 17))
    found = explain(network, image, target)
    torch.testing.assert_close(found[:, :, 0, 0].sum(1), rolled[:, 0, 1])  # a corner shows its patch
    torch.testing.assert_close(found[:, :, 15, 15].sum(1), rolled[:, 0, 16])


def test_register_tokens_are_no_patches():
    network, (image, target) = transformer(reg_tokens=2).eval(), seen()
    with torch.no_grad():
        rolled = rollout(attentions(network, image)[1])
    assert rolled.shape == (5, 19, 19)
    torch.testing.assert_close(explain(network, image, target)[:, :, 0, 0].sum(1), rolled[:, 0, 3])


def test_the_suites_transformer():
    model = create_classifier(Task("test_vit patch_size=7", 3, 1, 28, 28)).eval()
    image = torch.rand(2, 1, 28, 28)
    found = explain(model, image, torch.tensor([0, 1]))
    assert found.shape == image.shape
    assert found.std() > 0


class Chain(nn.Module):
    """A transformer that makes a mask, and one that classifies."""

    def __init__(self, first, second):
        super().__init__()
        self.second, self.first = second, first

    def forward(self, image):
        return self.second(image * self.first(image).mean(1).sigmoid()[:, None, None, None])


def test_of_two_transformers_the_last_that_runs_counts():
    image, target = seen()
    first, second = transformer(depth=2).eval(), transformer(depth=3).eval()
    with torch.no_grad():
        left = image * first(image).mean(1).sigmoid()[:, None, None, None]
    torch.testing.assert_close(explain(Chain(first, second), image, target), explain(second, left, target))


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (lambda: transformer(global_pool="map"), "pools tokens by 'map'"),
        (lambda: transformer(global_pool="max", class_token=False), "pools tokens by 'max'"),
        (lambda: transformer(attn_layer="diff"), "another attention"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(512, 3)), "no vision transformer"),
    ],
)
def test_what_has_no_rollout_is_refused_with_the_reason(network, reason):
    with pytest.raises(NotImplementedError, match=reason):
        explain(network().eval(), *seen())
