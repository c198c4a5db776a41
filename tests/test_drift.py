import pytest

from benchmark.drift import COLUMNS, Drift, compare, half_width
from benchmark.errors import BenchmarkError


def row(value, low="", high="", source="version 1", **names):
    cell = {"dataset": "mnist5k", "bias": "corner", "method": "erm", "variant": "iid", "metric": "accuracy"}
    return {
        **cell,
        "value": value,
        "low": low,
        "high": high,
        "n_units": "1000",
        "n_seeds": "3",
        "source": source,
    } | names


RECORDED = row("0.900", "0.870", "0.930")  # half width 0.03


@pytest.mark.parametrize(
    ("new", "drifts"),
    [
        # the other half width is 0.04, so the band is sqrt(0.03² + 0.04²) = 0.05
        (row("0.949", "0.909", "0.989"), False),
        (row("0.951", "0.911", "0.991"), True),
        (row("0.851", "0.811", "0.891"), False),
        (row("0.849", "0.809", "0.889"), True),
        # no interval: the band is 0.03
        (row("0.929"), False),
        (row("0.931"), True),
        (row("0.931", "0.9", ""), True),
    ],
)
def test_the_band_by_hand(new, drifts):
    assert bool(compare([RECORDED], [new])) is drifts


def test_an_asymmetric_interval_counts_with_half_its_length():
    assert half_width(row("0.99", "0.94", "1.0")) == pytest.approx(0.03)
    assert half_width(row("0.99", "", "")) == 0


def test_without_intervals_only_rounding_is_forgiven():
    assert compare([row("0.5")], [row("0.5000000000001")]) == []
    assert len(compare([row("0.5")], [row("0.50001")])) == 1


def test_a_drift_tells_the_number_its_band_and_what_was_found():
    (drift,) = compare([RECORDED], [row("0.80", "0.76", "0.84")])
    assert drift == Drift("mnist5k corner erm iid accuracy", "0.9000 ± 0.0500", "0.8000")


@pytest.mark.parametrize("name", ["dataset", "bias", "method", "variant", "metric"])
def test_a_number_that_is_gone_is_a_drift(name):
    (drift,) = compare([RECORDED], [{**RECORDED, name: "other"}])
    assert (drift.recorded, drift.found) == ("0.900", "missing")


def test_a_number_that_is_no_longer_defined_is_a_drift():
    (drift,) = compare([RECORDED], [row("")])
    assert drift.found == "missing"
    (drift,) = compare([RECORDED], [row("nan", "nan", "nan")])
    assert drift.found == "nan"


def test_new_numbers_are_no_drift():
    assert compare([RECORDED], [RECORDED, row("0.1", method="isnet")]) == []


def test_only_what_drifts_is_told_in_the_recorded_order():
    recorded = [row(value, method=method) for method, value in (("c", "0.1"), ("a", "0.2"), ("b", "0.3"))]
    summary = [row(value, method=method) for method, value in (("a", "0.2"), ("b", "0.4"), ("c", "0.4"))]
    assert [drift.name.split()[2] for drift in compare(recorded, summary)] == ["c", "b"]


def test_a_recorded_number_without_a_source_is_refused():
    with pytest.raises(BenchmarkError, match="'mnist5k corner erm iid accuracy' names no source"):
        compare([row("0.9", source="")], [RECORDED])


def test_a_recorded_row_without_a_number_is_refused():
    with pytest.raises(BenchmarkError, match="'mnist5k corner erm iid accuracy' has no value"):
        compare([row("")], [RECORDED])


def test_the_columns_are_those_that_a_recorded_row_needs():
    assert set(COLUMNS) == set(RECORDED)
