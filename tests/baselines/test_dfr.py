"""The fit against scikit-learn, subsets and halves, what is written into the network, and a minority that is found."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from minority import Linear, Small, accuracy, assert_resumes_anywhere, deceived_accuracy, deployed, fit_of, sets_of
from sklearn.linear_model import LogisticRegression
from torch import nn

from baselines.dfr import DFR, balanced_subset, by_group, features, fit, halves, last_layer
from baselines.erm import ERM
from benchmark.api import Data, Needs, Task
from benchmark.errors import BenchmarkError


class SmallDFR(DFR, Small):
    pass


class SmallERM(ERM, Small):
    pass


def small(**options: object) -> SmallDFR:
    return SmallDFR(SmallDFR.Settings(**options))


def problem(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    label = np.arange(120) % classes
    x = rng.normal(size=(120, 8)) + 0.7 * np.eye(8)[label]
    x[:, 7] = 0  # a unit that is always off
    return torch.tensor(x), torch.tensor(label)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("c", [1.0, 0.1])
def test_the_fit_is_scikit_learns_sparse_logistic_regression(classes: int, c: float) -> None:
    x, label = problem(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions disagree on how to ask for this penalty
        settings = {"solver": "saga", "C": c, "max_iter": 20000, "tol": 1e-10, "random_state": 0}
        expected = LogisticRegression(penalty="l1", l1_ratio=1, **settings).fit(x.numpy(), label.numpy())
    weight, bias = fit(x, label, classes, c, 5000, tolerance=1e-9)
    scores = x @ weight.T + bias
    found, wanted = scores.softmax(1).numpy(), expected.predict_proba(x.numpy())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    if classes > 2:  # scikit-learn has one row for two classes; of an even number the coefficients are not unique
        np.testing.assert_allclose(weight.numpy(), expected.coef_, atol=1e-4)
        assert ((weight == 0) == torch.tensor(expected.coef_ == 0)).all()
    assert (weight[:, 7] == 0).all()


def test_several_sets_are_fitted_at_once_as_one_by_one() -> None:
    x, label = problem(3)
    together = fit(torch.stack([x[:90], x[30:]]), torch.stack([label[:90], label[30:]]), 3, 0.3, 5000, 1e-9)
    for place, rows in enumerate((slice(0, 90), slice(30, 120))):
        alone = fit(x[rows], label[rows], 3, 0.3, 5000, 1e-9)
        torch.testing.assert_close(together[0][place], alone[0], rtol=0, atol=1e-6)
        gap = together[1][place] - alone[1]
        torch.testing.assert_close(gap - gap.mean(), torch.zeros_like(gap), rtol=0, atol=1e-5)


def test_a_subset_has_each_group_as_often_as_the_smallest_and_differs_from_draw_to_draw() -> None:
    rng = torch.Generator().manual_seed(0)
    group = torch.tensor([5] * 20 + [2] * 3 + [9] * 7)
    draws = [balanced_subset(group, rng) for _ in range(50)]
    for rows in draws:
        assert group[rows].sort().values.tolist() == [2, 2, 2, 5, 5, 5, 9, 9, 9]
        assert len(set(rows.tolist())) == 9
    assert set(torch.cat(draws).tolist()) == set(range(30))


def test_halves_share_every_group_and_no_image() -> None:
    group = torch.tensor([0] * 9 + [1] * 4 + [2] * 2 + [3])
    first, second = halves(group, torch.Generator().manual_seed(0))
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(16))
    for one in range(4):
        assert abs((group[first] == one).sum() - (group[second] == one).sum()) <= 1


def test_accuracies_are_by_group() -> None:
    right = torch.tensor([True, True, False, True, False, False])
    assert by_group(right, torch.tensor([3, 3, 3, 3, 8, 8])) == (0.0, 0.375)


def test_the_new_layer_in_the_network_does_what_the_fit_on_scaled_features_does() -> None:
    sets = sets_of(0.9)
    dfr = small(subsets=1, inverse_penalty=(0.3,))
    torch.manual_seed(0)
    network = Linear(Task("none", 2, 1, 4, 4))
    with torch.no_grad():
        network[1].weight[0], network[1].bias[0] = 0.0, -1.0  # a unit that is always off
    body = [value.clone() for value in network[1].parameters()]
    seen = sets.seen(dfr.needs)
    dfr.refit(network, seen, torch.Generator().manual_seed(4))
    train, _, _ = features(network, seen.train)
    assert seen.balanced is not None
    h, label, group = features(network, seen.balanced)
    scale = train.std(0, correction=0)
    assert scale[0] == 0
    scale = torch.where(scale > 0, scale, 1.0)
    z = (h - train.mean(0)) / scale
    rows = balanced_subset(group, torch.Generator().manual_seed(4))
    weight, bias = fit(z[rows], label[rows], 2, 0.3, 1000)
    image = sets.val.image / 255
    h_new = network[2](network[1](image.flatten(1))).double()
    expected = (h_new - train.mean(0)) / scale @ weight.T + bias
    torch.testing.assert_close(network(image).double(), expected, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, old) for value, old in zip(network[1].parameters(), body, strict=True))


def test_the_layer_is_the_mean_over_subsets() -> None:
    sets = sets_of(0.9)
    layers = []
    for subsets in (1, 1, 2):
        torch.manual_seed(0)
        network = Linear(Task("none", 2, 1, 4, 4))
        rng = torch.Generator().manual_seed(4)
        if len(layers) == 1:
            balanced_subset(features(network, sets.seen(DFR.needs).balanced)[2], rng)  # the second draw alone
        small(subsets=subsets, inverse_penalty=(0.3,)).refit(network, sets.seen(DFR.needs), rng)
        layers.append(network[-1].weight.detach())
    torch.testing.assert_close(layers[2], (layers[0] + layers[1]) / 2, rtol=1e-3, atol=1e-4)


def test_the_penalty_is_chosen_by_the_held_out_half() -> None:
    sets = sets_of(0.9)
    outcomes = {}
    for grid in ((1e-6,), (1.0,), (1e-6, 1.0)):
        torch.manual_seed(0)
        network = Linear(Task("none", 2, 1, 4, 4))
        small(inverse_penalty=grid).refit(network, sets.seen(DFR.needs), torch.Generator().manual_seed(0))
        outcomes[grid] = network[-1].weight.detach().abs().sum().item()
    assert outcomes[(1e-6,)] == 0  # so strong a penalty leaves nothing
    assert outcomes[(1e-6, 1.0)] == pytest.approx(outcomes[(1.0,)], rel=0.3)


def test_the_last_layer_unlearns_the_shortcut() -> None:
    plain = deceived_accuracy(SmallERM(SmallERM.Settings()), 0.95)
    dfr = fit_of(small(inverse_penalty=(1.0, 0.1)), sets_of(0.95))
    model = deployed(dfr, dfr.run(lambda _: None))
    assert plain < 0.7
    assert accuracy(model, 0.0) > plain + 0.2
    assert abs(accuracy(model, 1.0) - accuracy(model, 0.0)) < 0.15  # the mark no longer matters much


def test_a_training_taken_up_after_any_epoch_ends_in_the_same_bits(tmp_path: Path) -> None:
    assert_resumes_anywhere(lambda: small(subsets=2, inverse_penalty=(1.0, 0.1)), tmp_path)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit patch_size=7", "test_byobnet"])
def test_features_are_what_the_last_layer_of_a_timm_network_gets(backbone: str) -> None:
    network = DFR(DFR.Settings()).build(Task(backbone, 3, 1, 28, 28)).eval()
    sets = sets_of(0.9)
    seen = sets.seen(Needs(groups=True)).val
    image = torch.nn.functional.interpolate(sets.val.image[:8] / 255, (28, 28))

    class Eight:
        def __len__(self) -> int:
            return 8

        def batches(self, size: int = 256):  # type: ignore[no-untyped-def]
            batch = next(iter(seen.batches(8)))
            yield type(batch)(image, batch.label, code=batch.code)

    h, _, group = features(network, Eight())
    with torch.no_grad():
        again = network.get_classifier()(h.float())
        torch.testing.assert_close(again, network(image), rtol=1e-4, atol=1e-5)
    assert len(group.unique()) > 1
    assert not network.get_classifier()._forward_pre_hooks


class TwoLayers(Linear):
    def get_classifier(self) -> nn.Module:
        return self


def test_networks_without_one_linear_layer_are_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"linear last layer.*TwoLayers"):
        last_layer(TwoLayers(Task("none", 2, 1, 4, 4)))
    with pytest.raises(BenchmarkError, match="linear last layer"):
        last_layer(nn.Flatten())


def test_a_set_without_bias_is_needed_and_must_have_every_class() -> None:
    sets = sets_of(0.9)
    seen = sets.seen(DFR.needs)
    network = Linear(Task("none", 2, 1, 4, 4))
    with pytest.raises(BenchmarkError, match="balanced"):
        small().refit(network, Data(seen.train, seen.val), torch.Generator())
    wide = Linear(Task("none", 3, 1, 4, 4))
    with pytest.raises(BenchmarkError, match="none of class 2"):
        small().refit(wide, seen, torch.Generator())
