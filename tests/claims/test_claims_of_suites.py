"""The claims files of the suites: they speak of cells, variants, metrics and costs that there are."""

from pathlib import Path

import pytest

from benchmark.api import VARIANTS
from benchmark.claims import decide_all, members, read_claims
from benchmark.claims.kinds import Ratio, Scored
from benchmark.config import Suite, load
from benchmark.metrics.named import metric_named
from benchmark.paths import SuitePaths

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL = ["tb", "tb_gpu", "covid", "covid_gpu", "skin"]
NAMES = ["default", "methods", "minority", "architectures", "dose", "hacking", "mnist", "dogs", "faces", *EXTERNAL]
ABSTRACT = "arXiv 2202.00232v"


@pytest.fixture(params=NAMES)
def suite(request):
    return SuitePaths(request.param)


def cells_of(suite):
    return load(Suite, ROOT / suite.params).cells()


def claims_of(suite):
    return read_claims(ROOT / suite.claims_yaml)


def test_every_suite_with_claims_is_looked_at_here():
    assert set(NAMES) == {file.parent.name for file in (ROOT / "pipelines").glob("*/claims.yaml")}


def test_every_row_is_about_cells_of_the_suite(suite):
    cells = cells_of(suite)
    methods = {cell.method for cell in cells}
    for claim in claims_of(suite):
        for member in members(claim, cells):
            assert member.method in methods
            assert member.against in methods or (member.against == "" and not getattr(claim, "against", None))
            assert member.cell is None or member.cell in cells
            assert member.other is None or member.other in cells


def test_no_claim_is_one_that_is_refused_when_the_suite_is_decided(suite):
    rows = decide_all(claims_of(suite), {}, seeds={}, cells=cells_of(suite))
    assert {row.verdict for row in rows} == {"undecided"}  # there is not a single score


def test_metrics_and_variants_exist(suite):
    for claim in claims_of(suite):
        if isinstance(claim, Scored):
            assert metric_named(claim.metric).name == claim.metric
            assert claim.variant in VARIANTS


def test_costs_are_asked_only_where_they_are_measured(suite):
    pipeline = (ROOT / suite.pipeline).read_text(encoding="utf-8")
    assert "pipelines.costs" in pipeline or not any(isinstance(claim, Ratio) for claim in claims_of(suite))


def test_names_and_sentences_tell_the_rows_apart(suite):
    rows = [member for claim in claims_of(suite) for member in members(claim, cells_of(suite))]
    assert len({row.name for row in rows}) == len(rows)
    assert len({row.sentence for row in rows}) == len(rows)
    assert not [row.sentence for row in rows if "{" in row.sentence]


def test_the_abstract_is_asked_of_every_suite(suite):
    asked = {claim.test for claim in claims_of(suite) if claim.source.startswith(ABSTRACT) or ABSTRACT in claim.source}
    assert asked >= ({"superiority", "ratio"} if suite.name in EXTERNAL else {"superiority", "equivalence"})


def test_the_default_suite_asks_all_that_it_can():
    asked = {(claim.test, claim.method) for claim in claims_of(SuitePaths("default"))}
    for test in ("equivalence", "superiority", "non_inferiority"):
        assert {(test, ("isnet",)), (test, ("isnet_path",))} <= asked
    columns = {claim.column for claim in claims_of(SuitePaths("default")) if isinstance(claim, Ratio)}
    assert columns == {"inference_ratio", "params", "memory_ratio", "step_ratio"}
