"""Somebody's metric: how it is found, how it takes weights, and what is not let through."""

import math
import sys
from functools import partial

import numpy as np
import pytest

from benchmark.api import Metric
from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import ACCURACY, accuracy
from benchmark.submission.function import load_scorer

LOGITS = np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.5], [0.1, 0.2]], np.float32)
LABEL = np.array([0, 1, 1, 0])


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of somebody's own and hands back its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text, name="somebodys_metrics"):
        sys.modules.pop(name, None)
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    sys.modules.pop("somebodys_metrics", None)


def refused(target, *limits):
    with pytest.raises(BenchmarkError) as error:
        load_scorer(target, *limits)
    return str(error.value)


def called(name, body, head="score, label, weight=None", limits=()):
    """What the error says of a function with this body."""
    scorer = load_scorer(name(f"import numpy as np\ndef f({head}):\n    {body}\n") + ":f", *limits)
    with pytest.raises(BenchmarkError) as error:
        scorer(LOGITS, LABEL)
    return str(error.value)


@pytest.mark.parametrize(
    ("head", "weight"),
    [
        ("score, label, weight=None", "weight"),
        ("s, y, w_, weights", None),
        ("s, y, weights", "weights"),
        ("s, y, sample_weight=None", "sample_weight"),
        ("s, y, *, weight=None", "weight"),
        ("s, y, k=5, weight=None", "weight"),
        ("s, y, weight, /", ""),
        ("s, y", None),
        ("s, y, k=5", None),
        ("s, y, *rest, **more", None),
    ],
)
def test_weights_are_known_by_their_name(module, head, weight):
    target = module(f"def f({head}):\n    return 0.5\n") + ":f"
    if "w_" in head:
        assert "parameters of metric somebodys_metrics:f" in refused(target)
    else:
        assert load_scorer(target).weight == weight


@pytest.mark.parametrize("head", ["", "score", "*all", "score, weight", "s, y, k", "s, y, weight, weights", "s, *, y"])
def test_other_parameters_are_refused_with_the_contract(module, head):
    told = refused(module(f"def f({head}):\n    return 0.5\n") + ":f")
    assert "parameters of metric" in told and "func(score [N, K], label [N]" in told


def test_weights_are_handed_over_by_name_or_place(module):
    name = module(
        "def a(s, y, k=5, *, weight=None):\n    return ((s.argmax(1) == y) * weight).sum(-1) / k\n"
        "def b(s, y, weight, /):\n    return ((s.argmax(1) == y) * weight).sum(-1)\n"
    )
    counts = np.array([[1, 1, 1, 1], [3, 0, 1, 0], [0, 2, 1, 1.0]])
    # The first two of the four are right.
    assert load_scorer(f"{name}:a")(LOGITS, LABEL, counts).tolist() == pytest.approx([2 / 5, 3 / 5, 2 / 5])
    assert load_scorer(f"{name}:b")(LOGITS, LABEL, counts).tolist() == [2, 3, 2]


def test_a_registered_function_is_its_metric_with_name_and_range():
    scorer = load_scorer("benchmark.metrics.generalization:accuracy")
    assert scorer.metric is ACCURACY
    assert load_scorer("benchmark.metrics.generalization:ACCURACY").metric is ACCURACY
    assert scorer.bounded


def test_a_bare_function_has_a_name_and_the_range_that_it_is_given(module):
    target = module("class Box:\n    @staticmethod\n    def mine(s, y):\n        return 0.5\n") + ":Box.mine"
    free, held = load_scorer(target).metric, load_scorer(target, 0, 1).metric
    assert (free.name, free.low, free.high) == ("mine", -math.inf, math.inf)
    assert (held.low, held.high) == (0, 1)
    assert "low below high" in refused(target, 1, 0)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("accuracy", "expected package.module:name"),
        (":accuracy", "expected package.module:name"),
        ("no_such_module:f", "ModuleNotFoundError"),
        ("benchmark.metrics.generalization:acuracy", "accuracy, balanced_accuracy"),
        ("benchmark.metrics.generalization:DRAWS", "got 'int'"),
        ("benchmark.api:Metric", "got 'type'"),
        ("benchmark.metrics.attribution:HEATMAP_LOSS", "Heatmaps are not stored"),
        ("benchmark.metrics.attribution:BACKGROUND_RELEVANCE_MASS", "of the family 'attribution'"),
        ("math:hypot", "expected func(score [N, K]"),
    ],
)
def test_what_is_no_metric_of_predictions_is_refused(target, words):
    assert words in refused(target)


@pytest.mark.parametrize("text", ["raise RuntimeError('no licence')", "import sys; sys.exit(3)", "def f(:"])
def test_a_module_that_does_not_import_is_one_error(module, text):
    told = refused(module(text) + ":f")
    assert "cannot be imported" in told and "\n" not in told


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 'high'", "expected numbers of shape ()"),
        ("return None", "expected numbers of shape ()"),
        ("return np.ones(4)", "float64 of shape (4,)"),
        ("return [[1], [2, 3]]", "ValueError"),
        ("return 1j", "complex128"),
        ("return np.inf", "got inf; expected finite values"),
        ("return 1 / 0", "ZeroDivisionError"),
        ("exit()", "SystemExit"),
        ("score[0] = 1; return 0.5", "read-only"),
    ],
)
def test_what_is_no_number_is_refused(module, body, words):
    from benchmark.submission.rescore import frozen

    scorer = load_scorer(module(f"import numpy as np\ndef f(score, label):\n    {body}\n") + ":f")
    with pytest.raises(BenchmarkError) as error:
        scorer(frozen(LOGITS), LABEL)
    assert words in str(error.value)


def test_values_outside_the_declared_range_are_refused_and_rounding_is_not(module):
    assert "expected finite values from 0 to 1" in called(module, "return 1.001", limits=(0, 1))
    scorer = load_scorer(module("def f(s, y):\n    return 1 + 1e-12\n") + ":f", 0, 1)
    assert scorer(LOGITS, LABEL) == pytest.approx(1)


def test_a_wrong_shape_for_many_draws_is_refused(module):
    scorer = load_scorer(module("def f(s, y, weight=None):\n    return 0.5\n") + ":f")
    assert scorer(LOGITS, LABEL) == 0.5
    with pytest.raises(BenchmarkError, match=r"shape \(\)'; expected numbers of shape \(7,\)"):
        scorer(LOGITS, LABEL, np.ones((7, 4)))


def test_a_metric_object_keeps_its_direction_and_range(module):
    text = (
        "from benchmark.api import Metric\n"
        "ERROR = Metric('error', 'generalization', lambda s, y: (s.argmax(1) != y).mean(), False, 0, 1, '', '')"
    )
    metric = load_scorer(module(text) + ":ERROR").metric
    assert isinstance(metric, Metric)
    assert (metric.name, metric.higher_is_better, metric.low, metric.high) == ("error", False, 0, 1)


def test_a_partial_function_tells_its_parameters(module, monkeypatch):
    name = module(
        "from functools import partial\nfrom benchmark.metrics.generalization import accuracy\np = partial(accuracy)\n"
    )
    scorer = load_scorer(f"{name}:p")
    assert scorer.weight == "weight"
    assert scorer(LOGITS, LABEL) == partial(accuracy)(LOGITS, LABEL) == 0.5
