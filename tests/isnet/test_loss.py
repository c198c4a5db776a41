import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isnet.loss import background_loss, check_mask, foreground_loss, gwrp, heatmap_loss, shrink


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


def foreground_of(total: float, upper_term: str) -> float:
    heatmap, mask = torch.tensor([[-total, 5.0]]).view(1, 1, 1, 2), torch.tensor([[1.0, 0.0]]).view(1, 1, 1, 2)
    return foreground_loss(heatmap, mask, lower=2.0, upper=10.0, upper_term=upper_term).item()  # C1 = 2, C2 = 10


@pytest.mark.parametrize(
    ("total", "l1", "hybrid"),
    [(0.0, 1.0, 1.0), (1.0, 0.25, 0.25), (7.0, 0.0, 0.0), (11.0, 1.0, 0.25), (12.0, 2.0, 1.0), (30.0, 20.0, 19.0)],
)
def test_other_terms_above_the_upper_bound_by_hand(total: float, l1: float, hybrid: float) -> None:
    assert (foreground_of(total, "l1"), foreground_of(total, "hybrid")) == pytest.approx((l1, hybrid))


def test_hybrid_is_far_below_l2_for_a_map_that_exploded() -> None:
    heatmap, mask = torch.full((1, 1, 1, 2), 33.5), torch.tensor([[1.0, 0.0]]).view(1, 1, 1, 2)
    found = {u: foreground_loss(heatmap * 100, mask, upper_term=u).item() for u in ("l2", "hybrid", "l1")}
    assert found == pytest.approx({"l2": (3350 - 25) ** 2, "hybrid": 3350 - 26 + 1, "l1": 3350 - 25})


def test_hybrid_has_no_step_where_its_forms_meet() -> None:
    assert foreground_of(12.0 - 1e-5, "hybrid") == pytest.approx(foreground_of(12.0 + 1e-5, "hybrid"), abs=1e-4)


def test_several_maps_of_an_image_count_as_their_mean() -> None:
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 4, 2, 5, 5, generator=rng)
    mask = (torch.rand(3, 1, 5, 5, generator=rng) > 0.5).float()
    found = heatmap_loss(maps, mask, upper=3.0)
    alone = [heatmap_loss(maps[:, k], mask, upper=3.0) for k in range(4)]
    for term in (0, 1):
        torch.testing.assert_close(found[term], torch.stack([each[term] for each in alone]).mean())
    assert torch.equal(heatmap_loss(maps[:, :1], mask)[0], heatmap_loss(maps[:, 0], mask)[0])


def test_a_mask_without_foreground_is_refused_with_what_to_do() -> None:
    mask = torch.ones(3, 1, 2, 2)
    mask[1] = 0
    with pytest.raises(ValueError, match=r"mask of image 1 of the batch has no foreground.*1 such of 3.*leave these"):
        heatmap_loss(torch.rand(3, 1, 2, 2), mask)


def test_a_shrunken_mask_keeps_every_cell_with_any_foreground() -> None:
    rng = torch.Generator().manual_seed(0)
    mask = (torch.rand(4, 1, 13, 17, generator=rng) > 0.9).float()
    averaged = torch.nn.functional.adaptive_avg_pool2d(mask, (5, 4))  # as the authors write it
    assert torch.equal(shrink(mask, (5, 4)), (averaged > 0).float())
    assert torch.equal(shrink(mask, (13, 17)), mask)
    with pytest.raises(ValueError, match=r"mask of \(13, 17\) px is smaller than the layer's \(14, 17\)"):
        shrink(mask, (14, 17))
