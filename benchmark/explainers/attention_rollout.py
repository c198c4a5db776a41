r"""Attention rollout: from which patches the tokens that a vision transformer reads out have come.

.. math::
    \hat{A}_l = \tfrac{1}{2}\Big( \frac{1}{h} \sum_{k=1}^{h} A_{lk} + I \Big), \qquad
    Q = \hat{A}_L \cdots \hat{A}_2 \hat{A}_1, \qquad R = \mathrm{up}(Q_{\mathrm{read},\,\mathrm{patches}})

``A`` holds the attention of the ``h`` heads of block ``l``, softmax over its last axis; the half with ``I`` is the
residual connection. The read row is the class token's, or with an average-pooled head the mean of the rows of the
pooled tokens. A row of ``Q`` sums to 1; what it gives to the class token itself is left out. Tokens go back to their
grid, and bilinear to the size of the image.

It does not depend on the target: all classes get the same map, not negative. It knows neither values nor MLPs, so it
tells where the network looks and not what speaks for a class.

Source: Abnar and Zuidema 2020 (arXiv 2005.00928), section 3, for a class token; the average is decided here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmark.backbone import import_timm
from benchmark.explainers.frozen import frozen
from benchmark.explainers.spread import spread


def explain(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """The map of images ``[B, C, H, W]``, not negative, in equal parts a channel; ``target`` is not used.

    Raises:
        NotImplementedError: If the model is no vision transformer of timm's, or one that pools its tokens otherwise.
    """
    with frozen(model), torch.no_grad():
        network, attention = attentions(model, image)
        read = read_out(network, rollout(attention))
        height, width = network.patch_embed.grid_size
        if read.shape[1] != height * width:
            raise NotImplementedError(f"{read.shape[1]} patches are no grid of {height} x {width}")
        return spread(read.reshape(-1, 1, height, width).to(image.dtype), image)


def rollout(attention: list[Tensor]) -> Tensor:
    """The product ``Q`` of attention matrices ``[B, heads, N, N]``, the first block's first: ``[B, N, N]``."""
    identity = torch.eye(attention[0].shape[-1], dtype=attention[0].dtype, device=attention[0].device)
    product = identity
    for each in attention:
        product = (each.mean(1) + identity) / 2 @ product
    return product


def read_out(network: Any, rolled: Tensor) -> Tensor:
    """What the head reads, of each patch: ``[B, N, N] -> [B, patches]``."""
    first = network.num_prefix_tokens
    if network.global_pool == "token":
        row = rolled[:, 0]
    elif network.global_pool == "avg":
        row = rolled[:, 0 if network.pool_include_prefix else first :].mean(1)
    else:
        raise NotImplementedError(f"a head that pools tokens by {network.global_pool!r}, neither token nor avg")
    return row[:, first:]


def attentions(model: nn.Module, image: Tensor) -> tuple[Any, list[Tensor]]:
    """The transformer that computes the logits, and the attention of its blocks, ``[B, heads, N, N]`` each.

    Fused attention shows its matrices to nobody: they are computed again from queries and keys, which pass through
    modules of their own. In a chain of networks the last transformer counts.

    Raises:
        NotImplementedError: If there is none whose blocks all attend by timm's ordinary attention.
    """
    timm = import_timm()
    kind, ordinary = timm.models.vision_transformer.VisionTransformer, timm.layers.Attention
    passed: dict[nn.Module, Tensor] = {}
    run: list[Any] = []
    found: list[Any] = [module for module in model.modules() if type(module) is kind]
    layers: dict[Any, list[Any]] = {
        each: [module for module in each.blocks.modules() if type(module) is ordinary] for each in found
    }
    kept = [part for each in layers.values() for layer in each for part in (layer.q_norm, layer.k_norm)]
    hooks = [part.register_forward_hook(lambda m, _inputs, output: passed.update({m: output})) for part in kept]
    hooks += [each.register_forward_hook(lambda m, _inputs, _output: run.append(m)) for each in found]
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    if not run:
        raise NotImplementedError("no vision transformer: there is no attention between patches")
    network = run[-1]
    if len(layers[network]) != len(network.blocks):
        raise NotImplementedError("a transformer with another attention than one softmax a block")
    weights = [
        (passed[layer.q_norm] * layer.scale @ passed[layer.k_norm].transpose(-2, -1)).softmax(-1)
        for layer in layers[network]
    ]
    return network, weights
