r"""A vision transformer as the plain classifier: does attention between patches read the object, or the shortcut?

.. math:: L = \mathrm{CE}(f(x), y)

Source: Dosovitskiy et al. 2021, "An image is worth 16 x 16 words" (arXiv 2010.11929), compared with other networks on
background bias in arXiv 2202.00232. The network is timm's, from random weights; the loss is :class:`ERM`'s. The method
refuses a backbone that is no transformer, so that its row in a table cannot show another network. Deviations:

- A transformer does not train with the convolutional networks' optimizer: its YAML has AdamW (rule 9).
- At 28 px its patches are of 7 px, so that there are 16 of them as tokens.
"""

from __future__ import annotations

from torch import nn

from baselines.erm import ERM
from benchmark.api import Task
from benchmark.errors import BenchmarkError


class ViT(ERM):
    """Cross-entropy on a network of patches and self-attention."""

    source = "Dosovitskiy et al. 2021, ICLR (arXiv 2010.11929)"

    def build(self, task: Task) -> nn.Module:
        network = super().build(task)
        if not is_transformer(network):
            raise BenchmarkError(
                "backbone of the method vit",
                got=task.backbone,
                expected="a vision transformer: patches, and attention in every block",
                do="Set backbone in its YAML to one, for instance 'test_vit patch_size=7'; erm takes any network.",
            )
        return network


def is_transformer(network: nn.Module) -> bool:
    """Whether timm built it of a patch embedding and a list of blocks that all attend."""
    blocks = getattr(network, "blocks", None)
    if not hasattr(network, "patch_embed") or not isinstance(blocks, nn.Sequential | nn.ModuleList) or not len(blocks):
        return False
    return all(any("attn" in name for name, _ in block.named_modules()) for block in blocks)
