import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmark.explainers.simple import centre, edges, uniform

TARGET = torch.zeros(2, dtype=torch.int64)


def test_a_uniform_map_is_one_everywhere_when_summed_over_channels():
    found = uniform(None, torch.rand(2, 3, 5, 4), TARGET)
    torch.testing.assert_close(found.sum(1), torch.ones(2, 5, 4))
    assert found.unique().numel() == 1


def test_the_gaussian_by_hand():
    # 9 x 17: the middle is pixel (4, 8), sigma 9 / 4
    found = centre(None, torch.rand(2, 2, 9, 17, dtype=torch.float64), TARGET).sum(1)
    assert found[0, 4, 8].item() == pytest.approx(1)
    assert found[1, 4, 8 + 3].item() == pytest.approx(math.exp(-9 / (2 * 2.25**2)))
    assert found[0, 0, 0].item() == pytest.approx(math.exp(-(16 + 64) / (2 * 2.25**2)))


def test_the_gaussian_of_an_even_side_has_its_middle_between_pixels():
    found = centre(None, torch.rand(1, 1, 4, 4, dtype=torch.float64), TARGET)[0, 0]
    # sigma 1; the four middle pixels are (0.5, 0.5) off
    assert found[1:3, 1:3].flatten().tolist() == pytest.approx([math.exp(-0.25)] * 4)
    assert torch.equal(found, found.flip(0))
    assert torch.equal(found, found.T)


def test_edges_are_those_of_another_library():
    image = torch.rand(3, 2, 9, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = edges(None, image, TARGET)
    for row in range(3):
        for channel in range(2):
            # scikit-image divides the kernel by 4 and takes the root of the mean of both squares
            down, right = (ndimage.sobel(image[row, channel].numpy(), axis) / 4 for axis in (0, 1))
            np.testing.assert_allclose(found[row, channel], np.sqrt((down**2 + right**2) / 2), atol=1e-12)


def test_a_step_of_brightness_is_seen_beside_it_and_nowhere_else():
    image = torch.zeros(1, 1, 6, 8)
    image[..., 4:] = 1
    found = edges(None, image, TARGET)[0, 0]
    # the derivative across is 1 (4 / 4) on both sides of the step; the other is 0
    expected = torch.zeros(6, 8)
    expected[:, 3:5] = 1 / math.sqrt(2)
    torch.testing.assert_close(found, expected)


def test_an_image_without_edges_has_a_map_of_zeros():
    assert edges(None, torch.full((2, 3, 5, 5), 0.7), TARGET).abs().max() < 1e-6
