import numpy as np
import pytest

from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.scoring.merged import merge

CLASSES = 3


def predictions(seed, ids=("a", "b", "c"), variants=("iid", "ood"), loss=None, elsewhere=()):
    """Of a seed; with names ``elsewhere`` these are the images of a variant ``external``."""
    rng = np.random.default_rng(seed)
    names = dict.fromkeys(variants, ids) | ({"external": elsewhere} if elsewhere else {})
    return Predictions(
        seeds=np.array([seed]),
        tested={v: Shown(n, n, ["made"] * len(n), np.arange(len(n)) % CLASSES) for v, n in names.items()},
        logits={v: rng.normal(size=(1, len(n), CLASSES)) for v, n in names.items()},
        heatmap_loss=None if loss is None else np.array([loss]),
        attributes={"strata": "label"},
    )


def test_seeds_are_stacked_in_order():
    parts = [predictions(seed) for seed in (4, 0, 2)]
    merged = merge(parts)
    assert merged.seeds.tolist() == [4, 0, 2]
    assert merged.tested["ood"].id.tolist() == ["a", "b", "c"]
    assert merged.attributes == {"strata": "label"}
    for name in ("iid", "ood"):
        assert merged.logits[name].shape == (3, 3, CLASSES)
        for part, logits in zip(parts, merged.logits[name], strict=True):
            np.testing.assert_allclose(logits, part.logits[name][0], rtol=0, atol=2**-14)


def test_a_logit_keeps_four_decimals():
    (kept,) = merge([predictions(0)]).logits["iid"]
    steps = kept.astype(float) * 8192
    assert np.array_equal(steps, np.round(steps))


def test_heatmap_losses_are_kept_when_every_seed_has_one():
    assert merge([predictions(0, loss=0.5), predictions(1, loss=0.25)]).heatmap_loss.tolist() == [0.5, 0.25]
    assert merge([predictions(0), predictions(1)]).heatmap_loss is None
    assert merge([predictions(0, loss=0.5), predictions(1)]).heatmap_loss is None


@pytest.mark.parametrize("other", [{"ids": ("a", "b", "d")}, {"ids": ("b", "a", "c")}, {"ids": ("a", "b")}])
def test_seeds_that_saw_other_images_are_refused(other):
    with pytest.raises(BenchmarkError, match=r"different images; got 'seeds \[0\] and \[1\]'.*dvc repro"):
        merge([predictions(0), predictions(1, **other)])


def test_seeds_that_saw_other_variants_are_refused():
    with pytest.raises(BenchmarkError, match="different images"):
        merge([predictions(0), predictions(1, variants=("iid",))])


def test_seeds_that_saw_other_external_images_are_refused():
    first = predictions(0, elsewhere=("x", "y"))
    assert merge([first, predictions(1, elsewhere=("x", "y"))]).logits["external"].shape == (2, 2, CLASSES)
    with pytest.raises(BenchmarkError, match="different images"):
        merge([first, predictions(1, elsewhere=("x", "z"))])


def test_a_seed_given_twice_is_refused():
    with pytest.raises(BenchmarkError, match="seeds holds a value twice; got 3"):
        merge([predictions(3), predictions(3)])
