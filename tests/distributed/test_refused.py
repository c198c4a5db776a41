import pytest
import torch
from torch import nn

from baselines.bg_swap import BackgroundSwap
from baselines.erm import ERM
from baselines.isnet import ISNet
from baselines.isnet_path import ISNetPath
from benchmark.distributed.draws import WholeBatchDraws
from benchmark.distributed.methods import WAYS, way_of
from benchmark.distributed.network import undeclared_draws
from benchmark.errors import BenchmarkError
from benchmark.registry import METHODS


def test_every_method_of_this_project_has_a_way() -> None:
    assert set(WAYS) == {name for name in METHODS if METHODS.entry(name).target.startswith("baselines.")}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fraction": 0.5}, "a part of the batch"),
        ({"deep_supervision": True}, "ranked by the means of the batch"),
        ({"hidden": ("layer1",)}, "ranked by the means of the batch"),
        ({"bn": "native"}, "statistics of one process's images"),
        ({"bn": "batch_grad"}, "statistics of one process's images"),
        ({"path": "mean"}, "depends on the other images"),
        ({"path": "other"}, "depends on the other images"),
        ({"path": "blur"}, "depends on the other images"),
    ],
)
def test_options_that_mix_the_images_of_a_batch_are_refused_with_the_reason(
    options: dict[str, object], reason: str
) -> None:
    with pytest.raises(BenchmarkError, match=f"'isnet' with these options.*{reason}.*in one process"):
        way_of("isnet", ISNet(ISNet.Settings(**options)))


def test_the_path_to_black_and_swapped_backgrounds_are_not_refused() -> None:
    assert way_of("isnet_path", ISNetPath(ISNetPath.Settings())) == "loss"
    assert way_of("bg_swap", BackgroundSwap(BackgroundSwap.Settings(kind="other"))) == "network"


def test_a_method_of_another_package_must_say_its_way() -> None:
    class Foreign(ERM):
        pass

    with pytest.raises(
        BenchmarkError, match=r"'foreign' cannot be trained by several.*shared_out: 'loss' or 'network'"
    ):
        way_of("foreign", Foreign(Foreign.Settings()))
    Foreign.shared_out = "loss"  # type: ignore[attr-defined]
    assert way_of("foreign", Foreign(Foreign.Settings())) == "loss"


def test_dropout_is_found_in_a_network_and_inactive_dropout_is_not() -> None:
    assert undeclared_draws(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0))) is None
    assert undeclared_draws(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))) == "1"


def test_draws_are_rows_of_those_for_the_whole_batch() -> None:
    def draws(images: int) -> list[torch.Tensor]:
        rng = torch.Generator().manual_seed(3)
        made = [torch.rand(images, 1, generator=rng), torch.randint(1, 9, (images,), generator=rng)]
        return [*made, torch.rand((), generator=rng), torch.randn((images, 2), generator=rng), torch.rand(2)]

    with WholeBatchDraws(torch.Generator(), 7, slice(3, 7)):
        torch.manual_seed(0)
        assert len(torch.rand(4)) == 4  # of another generator
    whole = draws(7)
    rng = torch.Generator().manual_seed(3)
    with WholeBatchDraws(rng, 7, slice(3, 7)):
        mine = [torch.rand(4, 1, generator=rng), torch.randint(1, 9, (4,), generator=rng)]
        mine += [torch.rand((), generator=rng), torch.randn((4, 2), generator=rng)]
    for one, other in zip(whole, mine, strict=False):
        assert torch.equal(one[3:7] if one.dim() else one, other)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: torch.randperm(4, generator=rng),
        lambda rng: torch.rand(3, generator=rng),
        lambda rng: torch.bernoulli(torch.ones(4), generator=rng),
    ],
)
def test_a_draw_that_is_not_one_an_image_is_refused(draw: object) -> None:
    rng = torch.Generator()
    with WholeBatchDraws(rng, 7, slice(3, 7)), pytest.raises(BenchmarkError, match="cannot be shared out"):
        draw(rng)  # type: ignore[operator]
