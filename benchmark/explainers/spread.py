"""From a coarse map to the relevance of pixels and channels."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate


def spread(coarse: Tensor, image: Tensor) -> Tensor:
    """A map ``[B, 1, h, w]`` as relevance of images ``[B, C, H, W]``: bilinear to their size, in equal parts a channel.

    Summed over the channels it is the map again. The middles of the corner cells stay where they are
    (``align_corners=False``); beyond them the map is constant.
    """
    size = image.shape[-2:]
    if coarse.shape[-2:] != size:
        coarse = interpolate(coarse, size, mode="bilinear", align_corners=False)
    return (coarse / image.shape[1]).expand_as(image).clone()
