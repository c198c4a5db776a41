import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isnet.loss import background_loss, check_mask, foreground_loss, gwrp, heatmap_loss


def test_gwrp_by_hand() -> None:
    values = torch.tensor([[1.0, 4.0, 2.0], [0.0, 0.0, 8.0]])
    assert gwrp(values, 0.5).tolist() == pytest.approx([(4 + 1 + 0.25) / 1.75, 8 / 1.75])
    assert gwrp(values, 0.0).tolist() == [4.0, 8.0]  # the maximum
    assert gwrp(values, 1.0).tolist() == pytest.approx([7 / 3, 8 / 3])  # the mean


def hand_map() -> tuple[torch.Tensor, torch.Tensor]:
    heatmap = torch.tensor([[3.0, -1.0], [0.5, 0.0]]).view(1, 1, 2, 2)
    mask = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    return heatmap, mask


def test_background_loss_by_hand() -> None:
    heatmap, mask = hand_map()
    # foreground mean |H| = 2; background in its units: 0.25, 0; pooled over all four pixels with d = 0.5
    pooled = 0.25 / (1 + 0.5 + 0.25 + 0.125)
    expected = math.log(1 + pooled / 2)
    assert background_loss(heatmap, mask, decay=0.5, offset=2.0).item() == pytest.approx(expected)


def test_background_loss_is_the_papers_form_below_its_clamp() -> None:
    heatmap, mask = hand_map()
    pooled = 0.25 / 1.875
    assert background_loss(heatmap, mask, 0.5, 1.0).item() == pytest.approx(-math.log(1 - pooled / (pooled + 1)))


@given(scale=st.floats(1e-3, 1e3))
def test_background_loss_does_not_depend_on_the_scale(scale: float) -> None:
    heatmap, mask = hand_map()
    assert background_loss(heatmap * scale, mask).item() == pytest.approx(
        background_loss(heatmap, mask).item(), rel=1e-5
    )


def test_background_loss_averages_channels_after_pooling() -> None:
    heatmap = torch.tensor([[[1.0, 0.0]], [[1.0, 2.0]]]).view(1, 2, 1, 2)
    mask = torch.tensor([[1.0, 0.0]]).view(1, 1, 1, 2)
    expected = (math.log(1 + 0) + math.log(1 + 2)) / 2  # d = 0 takes each channel's maximum; the scale is 1
    assert background_loss(heatmap, mask, decay=0.0).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("total", "expected"),
    [(0.0, 1.0), (1.0, 0.25), (2.0, 0.0), (7.0, 0.0), (10.0, 0.0), (14.0, 4.0)],  # C1 = 2, C2 = 10
)
def test_foreground_loss_by_hand(total: float, expected: float) -> None:
    heatmap = torch.tensor([[-total / 2, 5.0], [total / 2, 5.0]]).view(1, 1, 2, 2)
    mask = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).view(1, 1, 2, 2)
    assert foreground_loss(heatmap, mask, lower=2.0, upper=10.0).item() == pytest.approx(expected)


def test_a_map_without_foreground_relevance_still_has_a_gradient() -> None:
    heatmap = torch.tensor([[0.0, 1.0]]).view(1, 1, 1, 2).requires_grad_()
    mask = torch.tensor([[1.0, 0.0]]).view(1, 1, 1, 2)
    background_loss(heatmap, mask).sum().backward()
    assert heatmap.grad is not None
    assert heatmap.grad[0, 0, 0, 1] > 0


def test_bad_maps_and_masks_are_named() -> None:
    heatmap, mask = hand_map()
    with pytest.raises(ValueError, match=r"must have shape \(1, 1, 2, 2\)"):
        check_mask(heatmap, mask[..., :1])
    with pytest.raises(ValueError, match=r"0 \(background\) and 1"):
        check_mask(heatmap, mask * 0.5)
    with pytest.raises(ValueError, match="NaN or infinity"):
        heatmap_loss(heatmap * math.nan, mask)
