"""Every check catches a method that is broken in its way, and lets sound methods pass."""

import math
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch, Data, Method, Needs, Options, Phase, Task
from benchmark.errors import BenchmarkError
from benchmark.testing import CHECKS, Case, check_method, parametrize_with_checks
from benchmark.testing.checks.export import CONVERTED
from benchmark.testing.runner import checks_of

NAMES = [function.__name__ for function in CHECKS]


class Plain(Method):
    """A sound method on a network so small that all checks take a second."""

    class Settings(Options):
        """None of the checks' business."""

        share: float = Field(1.0, gt=0, description="of the cross-entropy")

    settings: Settings
    source = "a test"

    def build(self, task: Task) -> nn.Module:
        size = (task.height // 2) * (task.width // 2)
        return nn.Sequential(
            nn.Conv2d(task.channels, 4, 3, 2, 1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * size, task.classes),
        )

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": self.settings.share * cross_entropy(network(batch.image), batch.label)}


class WithMasks(Plain):
    """Sees the foreground alone in training."""

    needs = Needs(masks=True)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        if batch.mask is None:
            raise BenchmarkError("masks of a batch", expected="masks")
        return {"loss": cross_entropy(network(batch.image * batch.mask), batch.label)}


class MaskedModel(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return self.network(image * mask)


class Oracle(WithMasks):
    """Sees the foreground alone at test, too."""

    needs = Needs(masks=True, mask_at_test=True)

    def deploy(self, network: nn.Module) -> nn.Module:
        return MaskedModel(network)


class TwoPhases(Plain):
    """Trains everything, then by balanced data and group weights the last layer alone."""

    needs = Needs(groups=True, balanced=True)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        def begin(network: nn.Module, data: Data, rng: torch.Generator) -> None:
            if data.balanced is None:
                raise BenchmarkError("balanced set", expected="one")
            with torch.no_grad():
                network[4].bias.add_(torch.rand(network[4].bias.shape, generator=rng))

        def last(network: nn.Module) -> Iterable[nn.Parameter]:
            return network[4].parameters()

        def weights(network: nn.Module, data: Data) -> Tensor:
            (batch,) = data.train.batches()
            if batch.code is None:
                raise BenchmarkError("codes of the training images", expected="codes")
            return 1.0 + (batch.code != batch.label).float()

        return (Phase("all", epochs, super().loss), Phase("last", epochs, self.loss, begin, last, weights, 0.5))

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        if batch.code is None:
            raise BenchmarkError("codes of a batch", expected="codes")
        return super().loss(network, batch, rng)


class Picky(Plain):
    """Refuses colour."""

    def build(self, task: Task) -> nn.Module:
        if task.channels != 1:
            raise BenchmarkError("colour images", got=task.channels, expected="1 channel")
        return super().build(task)


@pytest.mark.parametrize("method", [Plain, WithMasks, Oracle, TwoPhases])
def test_a_sound_method_passes_every_check(method: type[Method]) -> None:
    told = check_method(method)
    assert list(told) == NAMES
    assert {name for name, reason in told.items() if reason} <= {"check_exports_to_onnx"}


def test_a_task_that_the_method_refuses_is_told_and_is_no_failure() -> None:
    told = check_method(Picky)
    refused = {"check_takes_colour_images", "check_gradients_are_finite_on_colour_images"}
    assert {name for name, reason in told.items() if "colour images; got 3" in reason} == refused


# One broken method a check, or more: each differs from a sound one in the one thing that the check looks at.

BROKEN: list[tuple[str, type[Method], str]] = []


def breaks(check: str, told: str) -> Any:
    def register(kind: type[Method]) -> type[Method]:
        BROKEN.append((check, kind, told))
        return kind

    return register


@breaks("check_says_what_it_is", "no docstring")
class Undocumented(Plain):
    pass


@breaks("check_says_what_it_is", "names no paper")
class Sourceless(Plain):
    """No source."""

    source = " "


@breaks("check_says_what_it_is", "'tea_leaves' is no registered explainer")
class ThroughNothing(Plain):
    """Trained through what nobody knows."""

    trained_through = "tea_leaves"


@breaks("check_refuses_unknown_settings", "no_such_option")
class Lax(Plain):
    class Settings(Plain.Settings, extra="ignore"):
        pass


@breaks("check_describes_its_settings", "without a description: depth")
class Wordless(Plain):
    class Settings(Options):
        depth: int = 3


@breaks("check_has_phases", "no phase trains")
class Idle(Plain):
    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (Phase("all", 0, self.loss),)


@breaks("check_has_phases", "names of phases: .'all', 'all'.")
class Twins(Plain):
    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (Phase("all", epochs, self.loss), Phase("all", epochs, self.loss))


class Deployed(nn.Module):
    """A network with something done to its logits."""

    def __init__(self, network: nn.Module, change: Any) -> None:
        super().__init__()
        self.network, self.change = network, change

    def forward(self, image: Tensor) -> Tensor:
        return self.change(self.network(image))


def deploying(change: Any) -> type[Method]:
    return type("Changed", (Plain,), {"deploy": lambda self, network: Deployed(network, change)})


breaks("check_deploys_logits", r"shape .8, 2., expected .8, 3.")(deploying(lambda logits: logits[:, 1:]))
breaks("check_deploys_logits", "float64")(deploying(lambda logits: logits.double()))
breaks("check_deploys_logits", "not finite")(deploying(lambda logits: (logits - 9e9).sqrt()))
breaks("check_deploys_logits", "returns tuple")(deploying(lambda logits: (logits,)))
breaks("check_deploys_logits", "missing 1 required positional argument: 'mask'")(
    type("SecretOracle", (Oracle,), {"needs": Needs(masks=True)})
)
breaks("check_logits_do_not_depend_on_the_batch", "rest of the batch")(
    deploying(lambda logits: logits - logits.mean(0))
)
breaks("check_predictions_repeat_themselves", "differ")(deploying(lambda logits: logits + torch.rand_like(logits)))


@breaks("check_takes_colour_images", "to have 1 channels, but got 3")
class GreyOnly(Plain):
    def build(self, task: Task) -> nn.Module:
        return super().build(Task(task.backbone, task.classes, 1, task.height, task.width))


@breaks("check_takes_two_classes", "expected .8, 2.")
class ThreeOnly(Plain):
    def build(self, task: Task) -> nn.Module:
        return super().build(Task(task.backbone, 3, task.channels, task.height, task.width))


@breaks("check_deploying_leaves_the_network_alone", "changes 4.bias")
class Shifting(Plain):
    def deploy(self, network: nn.Module) -> nn.Module:
        with torch.no_grad():
            network[4].bias += 1
        return network


@breaks("check_gradients_are_finite", "trains idle, which has no gradient")
class Unused(Plain):
    def build(self, task: Task) -> nn.Module:
        network = super().build(task)
        network.register_parameter("idle", nn.Parameter(torch.zeros(1)))
        return network


@breaks("check_gradients_are_finite", "of 4.bias is not finite")
class Rooted(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        found = super().loss(network, batch, rng)["loss"]
        return {"loss": found + (network[4].bias - network[4].bias.detach()).abs().sum().sqrt()}


@breaks("check_gradients_are_finite", "expected a term 'loss'")
class Nameless(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {"cost": super().loss(network, batch, rng)["loss"]}


@breaks("check_gradients_are_finite", "penalty of phase 'train' has the shape .8,., expected a scalar")
class Unreduced(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {**super().loss(network, batch, rng), "penalty": batch.label.float()}


@breaks("check_gradients_are_finite_on_degenerate_batches", "masks of background only")
class Divided(WithMasks):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        found = super().loss(network, batch, rng)["loss"]
        return {"loss": found + 0.1 * (batch.mask.mean() / batch.mask.mean() - 1)}


@breaks("check_gradients_are_finite_on_degenerate_batches", "one class")
class OfEachClass(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        each = cross_entropy(network(batch.image), batch.label, reduction="none")
        return {"loss": torch.stack([each[batch.label == k].mean() for k in range(3)]).mean()}


@breaks("check_gradients_are_finite_on_colour_images", "on colour images")
class GreyLoss(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        found = super().loss(network, batch, rng)["loss"]
        return {"loss": found * (1.0 if batch.image.shape[1] == 1 else math.nan)}


@breaks("check_validates", "does not require grad")
class Sloping(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        found = super().loss(network, batch, rng)["loss"]
        torch.autograd.grad(found, network[4].bias, retain_graph=True)
        return {"loss": found}


@breaks("check_validates", "changes 1.running_mean")
class Unsettled(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        training = network.training
        found = super().loss(network.train(), batch, rng)
        network.train(training)
        return found


@breaks("check_loss_falls", "the loss of 'train' falls to")
class Stubborn(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": super().loss(network, batch, rng)["loss"] + 10}


@breaks("check_works_on_a_wrapped_network", "reaches into a wrapped network")
class Reaching(Plain):
    def build(self, task: Task) -> nn.Module:
        network = super().build(task)
        network.head = nn.Identity()
        return network

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": cross_entropy(network.head(network(batch.image)), batch.label)}


@breaks("check_leaves_its_inputs_alone", "changes batch.image")
class Painting(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        batch.image.mul_(0.5)
        return super().loss(network, batch, rng)


@breaks("check_leaves_its_inputs_alone", "label of the train set is changed")
class Relabelling(Plain):
    def phases(self, epochs: int) -> tuple[Phase, ...]:
        def begin(network: nn.Module, data: Data, rng: torch.Generator) -> None:
            for batch in data.train.batches():
                batch.label.zero_()

        return (Phase("all", epochs, self.loss, begin),)


@breaks("check_sees_only_what_it_declares", "with what it declares .nothing.: TypeError")
class Peeking(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image * batch.mask), batch.label)}


@breaks("check_sees_only_what_it_declares", "with what it declares .nothing.: BenchmarkError")
class Asking(WithMasks):
    needs = Needs()


@breaks("check_misses_what_it_declares", "declares needs.groups and does not miss it")
class Grasping(Plain):
    needs = Needs(groups=True)


@breaks("check_misses_what_it_declares", "without masks: TypeError, expected BenchmarkError")
class Unhelpful(Peeking):
    needs = Needs(masks=True)


@breaks("check_misses_what_it_declares", "declares needs.balanced and does not miss it")
class Unbalanced(Plain):
    needs = Needs(balanced=True)


def weighing(weights: Any) -> type[Method]:
    def phases(self: Method, epochs: int) -> tuple[Phase, ...]:
        return (Phase("all", epochs, self.loss, weights=lambda network, data: weights(len(data.train))),)

    return type("Weighing", (Plain,), {"phases": phases})


breaks("check_draws_with_usable_weights", "expected .18,.")(weighing(lambda n: torch.ones(n - 1)))
breaks("check_draws_with_usable_weights", "are no weights")(weighing(lambda n: torch.arange(n) - 1.0))
breaks("check_draws_with_usable_weights", "are all zero")(weighing(torch.zeros))


@breaks("check_equal_generators_give_equal_losses", "two equal calls")
class Dreaming(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": super().loss(network, batch, rng)["loss"] * torch.rand(())}


def drawing(draw: Any) -> type[Method]:
    class Drawing(Plain):
        def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
            draw()
            return super().loss(network, batch, rng)

    return Drawing


breaks("check_leaves_global_generators_alone", "global generator of torch$")(drawing(lambda: torch.rand(())))
breaks("check_leaves_global_generators_alone", "global generator of torch$")(drawing(lambda: torch.manual_seed(0)))
breaks("check_leaves_global_generators_alone", "global generator of numpy$")(drawing(np.random.rand))
breaks("check_leaves_global_generators_alone", "global generator of random$")(drawing(random.random))


@breaks("check_leaves_global_generators_alone", "global generator of numpy$")
class DrawnWeights(Plain):
    def build(self, task: Task) -> nn.Module:
        np.random.rand()  # noqa: NPY002
        return super().build(task)


class Counting(Plain):
    """Has a memory of its own: its loss depends on how often it was called."""

    calls = 0

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        self.calls = self.calls + 1
        return {"loss": super().loss(network, batch, rng)["loss"] / self.calls}


breaks("check_keeps_no_state", "object changes when it is used: .'calls'")(Counting)
breaks("check_resumes_to_equal_bits", "killed after every epoch differs in")(Counting)


@breaks("check_equal_seeds_give_equal_bits", "two trainings from seed 0 differ")
class Unseeded(Plain):
    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        noise = torch.rand(batch.image.shape, generator=torch.Generator().manual_seed(random.getrandbits(40)))
        return {"loss": cross_entropy(network(batch.image + noise), batch.label)}


@breaks("check_other_seeds_give_other_bits", "give the same weights")
class Deaf(Plain):
    """Starts at one point and learns nothing."""

    def build(self, task: Task) -> nn.Module:
        network = super().build(task)
        for weight in network.parameters():
            nn.init.zeros_(weight)
        return network

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": 0 * network(batch.image).sum()}


@breaks("check_resumes_to_equal_bits", "killed after every epoch differs in")
class HiddenBuffer(Plain):
    """Counts in a buffer that is not saved."""

    def build(self, task: Task) -> nn.Module:
        network = super().build(task)
        network.register_buffer("steps", torch.zeros(()), persistent=False)
        return network

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        plain = getattr(network, "module", network)
        plain.steps += network.training
        return {"loss": super().loss(network, batch, rng)["loss"] / (1 + plain.steps)}


class Random(nn.Module):
    """A layer whose random scale belongs to no state_dict."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.rand(1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@breaks("check_weights_survive_saving", "something is not in its state_dict")
class Forgetful(Plain):
    def build(self, task: Task) -> nn.Module:
        return nn.Sequential(*super().build(task), Random())


breaks("check_exports", "torch.export fails")(deploying(lambda logits: logits if logits.sum() > 0 else -logits))
breaks("check_exports", "logits that are")(
    deploying(lambda logits: logits + torch.compiler.is_exporting())  # another way when it is traced
)
breaks("check_exports_to_onnx", "torch.onnx.export fails")(
    deploying(lambda logits: logits + torch.special.airy_ai(logits))
)


@pytest.mark.parametrize(
    ("check", "kind", "told"), BROKEN, ids=[f"{kind.__name__}-{check}" for check, kind, _ in BROKEN]
)
def test_a_broken_method_is_caught(check: str, kind: type[Method], told: str) -> None:
    if check == "check_exports_to_onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    (one,) = (each for each in checks_of(kind) if each.function.__name__ == check)
    with pytest.raises((AssertionError, RuntimeError, TypeError), match=told):
        one.run()


def test_every_check_has_a_method_that_it_catches() -> None:
    assert {check for check, _, _ in BROKEN} == set(NAMES)


def test_a_graph_that_onnx_computes_wrongly_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversion itself cannot be broken from outside, so its result is compared with another network's."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    case = Case(Plain(Plain.Settings()))
    assert case.program is not None
    with torch.no_grad():
        case.deployed[4].bias.add_(1e-3)  # the program holds the same tensor ...
        case.deployed[4].bias = nn.Parameter(case.deployed[4].bias - 1e-3)  # ... and the module another
    CONVERTED.clear()
    (check,) = (each for each in CHECKS if each.__name__ == "check_exports_to_onnx")
    with pytest.raises(AssertionError, match=r"ONNX gives logits that are 0\.001 away"):
        check(case)


def test_all_failures_are_told_at_once_by_name() -> None:
    with pytest.raises(AssertionError, match="checks failed") as caught:
        check_method(type("Sorry", (Stubborn,), {"source": ""}), skip={"check_exports_to_onnx": "slow"})
    lines = str(caught.value).splitlines()
    assert lines[0] == f"2 of {len(NAMES)} checks failed:"
    assert [line.partition(":")[0] for line in lines[1:]] == ["check_says_what_it_is", "check_loss_falls"]


def test_a_check_that_is_left_out_is_told_with_its_reason() -> None:
    (check,) = (
        each
        for each in checks_of(Stubborn, skip={"check_loss_falls": "by design"})
        if "falls" in each.function.__name__
    )
    assert check.run() == "by design"
    with pytest.raises(pytest.skip.Exception, match="by design"):
        check()


class Demanding(Plain):
    """Cannot be made without a setting."""

    class Settings(Options):
        share: float = Field(description="of the loss")

    settings: Settings


def test_a_method_whose_settings_have_no_defaults_is_checked_as_an_instance() -> None:
    with pytest.raises(BenchmarkError, match=r"Demanding has settings without a default.*instance"):
        checks_of(Demanding)
    assert checks_of(Demanding(Demanding.Settings(share=1)))[0].run() == ""


@pytest.mark.parametrize("thing", [3, "erm", dict, Plain.Settings])
def test_what_is_no_method_is_refused(thing: Any) -> None:
    with pytest.raises(BenchmarkError, match="expected a subclass of Method"):
        checks_of(thing)


SEEN: list[str] = []


@parametrize_with_checks([Plain, Case(Picky(Picky.Settings()), name="second")], skip=dict.fromkeys(NAMES[1:], "dear"))
def test_each_check_of_each_method_is_a_test(check: Any, request: pytest.FixtureRequest) -> None:
    SEEN.append(request.node.name.partition("[")[2].rstrip("]"))
    check()


def test_their_names_tell_method_and_check() -> None:
    if not SEEN:
        pytest.skip("the tests above were left out")
    assert [f"{method}-{name}" for method in ("Plain", "second") for name in NAMES] == SEEN


def test_backbone_and_size_can_be_chosen() -> None:
    from baselines.erm import ERM

    (check,) = (
        each
        for each in checks_of(ERM, backbone="test_vit patch_size=8", size=32)
        if each.function.__name__ == "check_deploys_logits"
    )
    assert check.run() == ""
    assert type(check.case.built).__name__ == "VisionTransformer"
    assert check.case.eight().image.shape == (8, 1, 32, 32)
    (check,) = (each for each in checks_of(ERM, backbone="test_vit") if "deploys" in each.function.__name__)
    assert "cannot take images of 28 x 28" in check.run()
