"""The simulated experiments: their truth, their samples, and each practice by hand."""

import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from benchmark.errors import BenchmarkError
from benchmark.stats.interval import variance_sum
from benchmark.stats.nested import nested
from benchmark.stats.practices import PRACTICES, Trial
from benchmark.stats.simulate import COLUMNS, DESIGNS, Population, coverage, one_trial

SURE = 1e9
"""An effect that decides every answer alone."""


def effects(**sd):
    return {"seed_sd": 0.0, "patient_sd": 0.0, "image_sd": 0.0} | sd


def tiny(seed=0):
    """Three seeds, and 41 draws whose seed mean runs from 0.6 to 1 by units, from 0.7 to 0.9 by images."""
    of_units, of_images = np.linspace(-0.2, 0.2, 41), np.linspace(-0.1, 0.1, 41)
    values = np.array([0.7, 0.8, 0.9])
    return Trial(values, values[:, None] + of_units, values[:, None] + of_images, 12, np.random.default_rng(seed))


def bounds(name, trial):
    return PRACTICES[name][1](trial)


# --- truth ----------------------------------------------------------------------------------------


def test_the_truth_is_the_integral():
    for population in (*DESIGNS, Population(2, 1, mean=-0.4, seed_sd=2.0)):
        sd = math.sqrt(population.seed_sd**2 + population.patient_sd**2 + population.image_sd**2)
        found, _ = integrate.quad(lambda z, p=population, s=sd: expit(p.mean + s * z) * stats.norm.pdf(z), -12, 12)
        assert population.truth() == pytest.approx(found, abs=1e-9)


def test_the_truth_by_hand():
    assert Population(2, 1, mean=0.0).truth() == pytest.approx(0.5)  # by symmetry
    assert Population(2, 1, mean=math.log(3), **effects()).truth() == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("population", "seeds"),
    [
        (Population(2, 1, **effects(seed_sd=2.0)), 150_000),
        (Population(150_000, 1, **effects(patient_sd=2.0)), 2),
        (Population(75_000, 2, **effects(image_sd=2.0)), 2),
    ],
)
def test_a_large_sample_has_the_true_accuracy(population, seeds):
    # 150,000 independent effects; an accuracy varies by at most 1/2 with each: 5 standard errors are 0.0065.
    assert population.truth() != pytest.approx(expit(1.5), abs=0.02)  # which it would be without the effect
    got = population.sample(seeds, np.random.default_rng(0)).mean()
    assert got == pytest.approx(population.truth(), abs=5 * 0.5 / math.sqrt(150_000))


def test_a_sample_of_the_published_designs_has_the_true_accuracy():
    for design in DESIGNS:
        means = [design.sample(3, np.random.default_rng(seed)).mean() for seed in range(1500)]
        error = np.std(means, ddof=1) / math.sqrt(1500)
        assert np.mean(means) == pytest.approx(design.truth(), abs=4 * error)


# --- samples --------------------------------------------------------------------------------------


def test_every_effect_reaches_whom_it_should():
    rng = np.random.default_rng(1)
    trained = Population(50, 4, mean=0, **effects(seed_sd=SURE)).sample(200, rng)
    assert set(trained.mean(1)) == {0.0, 1.0}  # a training has all right or all wrong
    patient = Population(50, 4, mean=0, **effects(patient_sd=SURE)).sample(6, rng)
    assert set(patient.mean(0).reshape(50, 4).mean(1)) == {0.0, 1.0}  # of a patient all seeds have all images alike
    image = Population(50, 4, mean=0, **effects(image_sd=SURE)).sample(6, rng)
    assert set(image.mean(0)) == {0.0, 1.0}  # of an image all seeds
    assert len(set(image.mean(0).reshape(50, 4).mean(1))) == 5  # but not of a patient all images


def test_without_effects_answers_are_independent_tosses():
    right = Population(40, 25, mean=0, **effects()).sample(30, np.random.default_rng(2))
    # hits by image are Binomial(30, 1/2), hits by seed Binomial(1000, 1/2)
    assert right.sum(0).var() == pytest.approx(30 / 4, rel=0.2)
    assert right.sum(1).var() == pytest.approx(1000 / 4, rel=0.8)


def test_images_of_a_patient_lie_together():
    assert Population(3, 2).unit().tolist() == [0, 0, 1, 1, 2, 2]
    assert (Population(3, 2).clusters, Population(3, 1).clusters) == ("patients", "none")


def test_published_designs_have_as_many_images_with_clusters_as_without():
    assert [design.clusters for design in DESIGNS] == ["none", "patients"]
    assert len({len(design.unit()) for design in DESIGNS}) == 1


def test_a_trial_draws_units_and_images():
    trial = one_trial(Population(30, 10, patient_sd=3.0), 4, 500, np.random.default_rng(3))
    assert trial.values.shape == (4,)
    assert trial.by_unit.shape == trial.by_image.shape == (4, 500)
    assert trial.n_units == 30
    for draws in (trial.by_unit, trial.by_image):
        error = draws.std(1, ddof=1) / math.sqrt(500)
        np.testing.assert_allclose(draws.mean(1), trial.values, atol=5 * error.max())
    # a naive image bootstrap does not see that patients are alike within
    assert trial.by_unit.std(1).mean() > 1.5 * trial.by_image.std(1).mean()
    alone = one_trial(Population(30, 1), 4, 50, np.random.default_rng(3))
    np.testing.assert_array_equal(alone.by_unit, alone.by_image)


# --- practices ------------------------------------------------------------------------------------


def test_percentiles_by_hand():
    # 41 evenly spaced draws: the quantiles of 2.5 % and 97.5 % are the second and the last but one.
    assert bounds("unit_bootstrap", tiny()) == pytest.approx((0.61, 0.99))
    assert bounds("image_bootstrap", tiny()) == pytest.approx((0.705, 0.895))


def test_standard_errors_by_hand():
    # SD with squares ÷ 3: √(0.02 / 3) = 0.081650; ÷ √3: 0.047140
    assert bounds("se", tiny()) == pytest.approx((0.8 - 0.047140, 0.8 + 0.047140), abs=1e-6)
    assert bounds("se_196", tiny()) == pytest.approx((0.8 - 0.092395, 0.8 + 0.092395), abs=1e-6)


def test_t_over_seeds_by_hand():
    # SD with squares ÷ 2: 0.1; ÷ √3: 0.057735; t quantile 0.975 of 2 degrees of freedom: 4.302653; accuracies end at 1
    assert bounds("t_seeds", tiny()) == pytest.approx((0.8 - 0.057735 * 4.302653, 1.0), abs=1e-6)


def test_the_headline_by_hand():
    # Vs = 0.01 / 3; Vu of 41 numbers 0.01 apart: 0.01² * 41 * 42 / 12
    of_units, of_seeds = 1e-4 * 41 * 42 / 12, 0.01 / 3
    df = (of_units + of_seeds) / (of_units / 11 + of_seeds / 2)
    half = stats.t.ppf(0.975, df) * math.sqrt(of_units + of_seeds)
    assert bounds("variance_sum", tiny()) == pytest.approx((0.8 - half, min(1, 0.8 + half)))


def test_plain_satterthwaite_by_hand():
    of_units, of_seeds = 1e-4 * 41 * 42 / 12, 0.01 / 3
    df = (of_units + of_seeds) ** 2 / (of_units**2 / 11 + of_seeds**2 / 2)
    half = stats.t.ppf(0.975, df) * math.sqrt(of_units + of_seeds)
    assert bounds("satterthwaite", tiny()) == pytest.approx((0.8 - half, min(1, 0.8 + half)))


def test_headline_and_nested_are_the_tables_own():
    trial = one_trial(DESIGNS[1], 5, 300, np.random.default_rng(4))
    headline = variance_sum(trial.values, trial.by_unit.mean(0), 60, low=0, high=1)
    assert bounds("variance_sum", trial) == (headline.low, headline.high)
    seeds = [tiny(seed=7), tiny(seed=7)]
    outer = nested(seeds[0].by_unit, seeds[0].rng, values=seeds[0].values, low=0, high=1)
    assert bounds("nested", seeds[1]) == (outer.low, outer.high)


def test_all_but_one_call_themselves_95_percent_intervals():
    nominal = {name: nominal for name, (nominal, _) in PRACTICES.items()}
    assert nominal.pop("se") == pytest.approx(stats.norm.cdf(1) - stats.norm.cdf(-1), abs=1e-4)
    assert set(nominal.values()) == {0.95}


def test_fewer_seeds_are_the_first_ones():
    part = tiny().of(2)
    assert part.values.tolist() == [0.7, 0.8]
    assert (part.by_unit.shape, part.by_image.shape, part.n_units) == ((2, 41), (2, 41), 12)
    assert bounds("unit_bootstrap", part) == pytest.approx((0.56, 0.94))


# --- coverage -------------------------------------------------------------------------------------


def test_without_seed_effects_units_are_enough_and_seeds_are_not():
    population = Population(200, 1, seed_sd=0.0, image_sd=4.0)
    rows = coverage(population, [3], 250, 200, np.random.default_rng(5))
    found = {row["interval"]: row["coverage"] for row in rows}
    error = math.sqrt(0.95 * 0.05 / 250)
    assert found["variance_sum"] > 0.95 - 3 * error
    assert found["unit_bootstrap"] > 0.95 - 4 * error  # percentiles of a skewed accuracy, on 200 draws
    assert found["t_seeds"] < 0.8  # seeds meet the same images: they do not tell how much images vary
    assert found["se"] < 0.45


def test_without_variance_of_units_seeds_are_enough_and_units_are_not():
    population = Population(3000, 1, seed_sd=0.7, patient_sd=0.0, image_sd=0.0)
    rows = coverage(population, [4], 150, 20, np.random.default_rng(6))
    found = {row["interval"]: row["coverage"] for row in rows}
    assert found["t_seeds"] > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 150)
    assert found["unit_bootstrap"] < 0.4


def test_a_row_says_what_was_simulated():
    rows = coverage(Population(20, 3), [2, 5], 7, 20, np.random.default_rng(7))
    assert [(row["interval"], row["seeds"]) for row in rows] == [
        (name, seeds) for name in PRACTICES for seeds in (2, 5)
    ]
    for row in rows:
        assert tuple(row) == COLUMNS
        assert (row["clusters"], row["repetitions"], row["nominal"]) == ("patients", 7, PRACTICES[row["interval"]][0])
        assert row["coverage"] * 7 == pytest.approx(round(row["coverage"] * 7))
        assert 0 < row["width"] < 1
    # t quantiles 12.7 and 2.8: two seeds are told from five
    width = {row["seeds"]: row["width"] for row in rows if row["interval"] == "variance_sum"}
    assert width[2] > 1.2 * width[5]


def test_coverage_and_width_by_hand():
    # Without any effect and with a mean that decides, all is right and the truth is 1: Wilson's [n / (n + z²), 1].
    rows = coverage(Population(30, 1, mean=SURE, **effects()), [3], 5, 10, np.random.default_rng(8))
    found = {row["interval"]: (row["coverage"], row["width"]) for row in rows if row["interval"] != "nested"}
    z2 = stats.norm.ppf(0.975) ** 2
    assert found["variance_sum"] == pytest.approx((1, z2 / (30 + z2)))
    assert found["unit_bootstrap"] == found["se"] == (1, 0)


def test_bounds_that_are_not_defined_hold_nothing():
    rows = coverage(Population(30, 1, mean=SURE, **effects()), [3], 5, 10, np.random.default_rng(8))
    found = {row["interval"]: row for row in rows}
    for name in ("nested", "t_seeds"):
        assert found[name]["coverage"] == 0
        assert math.isnan(found[name]["width"])


def test_the_stream_decides():
    one, same, other = (coverage(Population(20, 3), [2], 6, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert [row["width"] for row in one] != [row["width"] for row in other]


def test_faults_are_told():
    rng = np.random.default_rng(0)
    for call, message in [
        (lambda: coverage(Population(20, 3), [], 5, 20, rng), "at least 2 seeds"),
        (lambda: coverage(Population(20, 3), [3, 1], 5, 20, rng), "at least 2 seeds"),
        (lambda: coverage(Population(20, 3), [3], 0, 20, rng), "1 repetition"),
        (lambda: coverage(Population(20, 3), [3], 5, 1, rng), "2 draws"),
        (lambda: Population(1, 3), "at least 2 patients"),
        (lambda: Population(20, 0), "1 image"),
        (lambda: Population(20, 1, seed_sd=-0.1), "no negative deviation"),
    ]:
        with pytest.raises(BenchmarkError, match=message):
            call()
