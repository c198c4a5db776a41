"""Sets in the host's memory give the batches of sets on the device."""

from pathlib import Path

import pytest
import torch
from jobs import TRAINING
from lightning_fabric import Fabric

from baselines.isnet import ISNet
from benchmark.api import Needs, Task
from benchmark.config import Training, parse
from benchmark.training.augment import draw_shifts, moved
from benchmark.training.data import Sets, Streamed, all_logits, load_sets, load_tensors
from benchmark.training.device import resident_bytes
from benchmark.training.fit import Fit
from benchmark.tune.estimate import some

ALL = Needs(masks=True, groups=True)


@pytest.mark.parametrize("rows", [torch.tensor([5, 0, 5, 31]), slice(7, 20)])
@pytest.mark.parametrize("needs", [Needs(), ALL])
def test_a_streamed_set_gives_the_batches_of_a_resident_one(pack: Path, rows: torch.Tensor, needs: Needs) -> None:
    resident, streamed = load_tensors(pack, "train"), load_tensors(pack, "train", largest=0)
    assert isinstance(streamed, Streamed) and not isinstance(resident, Streamed)
    for name, expected in vars(resident.batch(rows, needs)).items():
        found = getattr(streamed.batch(rows, needs), name)
        assert (found is None) == (expected is None), name
        assert expected is None or (torch.equal(found, expected) and found.stride() == expected.stride()), name


def test_only_a_set_above_the_limit_is_streamed_and_on_a_cpu_none(pack: Path) -> None:
    train = load_tensors(pack, "train")
    size = train.image.nbytes + train.mask.nbytes
    assert size == 96 * 28 * 28 * 2
    assert not isinstance(load_tensors(pack, "train", largest=size), Streamed)
    assert isinstance(load_tensors(pack, "train", largest=size - 1), Streamed)
    assert resident_bytes(torch.device("cpu")) == float("inf")


def test_logits_and_parts_of_a_streamed_set_are_those_of_a_resident_one(pack: Path) -> None:
    resident, streamed = load_tensors(pack, "iid"), load_tensors(pack, "iid", largest=0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28 * 28, 3))
    assert torch.equal(all_logits(model, resident, Needs(), 7), all_logits(model, streamed, Needs(), 7))
    few, same = some(resident, 9), some(streamed, 9)
    assert isinstance(same, Streamed) and torch.equal(few.image, same.image) and len(same) == 9


def test_a_training_on_streamed_sets_ends_in_the_same_weights(pack: Path) -> None:
    method, settings = ISNet(ISNet.Settings()), parse(Training, {**TRAINING, "epochs": 2, "shift_px": 2}, "test")
    sets = load_sets(pack, method.needs)
    streamed = Sets(*(load_tensors(pack, name, largest=0) for name in ("train", "val")))
    task, fabric = Task("test_resnet", 3, 1, 28, 28), Fabric(accelerator="cpu", devices=1)
    one, other = (Fit(method, task, settings, 0, each, fabric).run(lambda _: None) for each in (sets, streamed))
    assert one.log == other.log
    assert all(torch.equal(one.best[name], other.best[name]) for name in one.best)


@pytest.mark.parametrize("channels", [1, 3])
def test_shifts_are_those_of_numpy_slices_image_by_image(channels: int) -> None:
    stack = torch.rand(6, channels, 5, 7, generator=torch.Generator().manual_seed(1))
    shifts = draw_shifts(6, 3, torch.Generator().manual_seed(2))
    assert shifts is not None and shifts.abs().max() == 3
    found = moved(stack.contiguous(memory_format=torch.channels_last), 3, shifts)
    for one, image, (dy, dx) in zip(found, stack, shifts.tolist(), strict=True):
        for y in range(5):
            for x in range(7):
                inside = 0 <= y + dy < 5 and 0 <= x + dx < 7
                assert torch.equal(one[:, y, x], image[:, y + dy, x + dx] if inside else torch.zeros(channels))
