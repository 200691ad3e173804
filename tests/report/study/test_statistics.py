"""The statistics of a claim: simulated runs with known answers, and hand examples."""

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from report.study import statistics
from report.study.statistics import Finding

RUNS = 2500


def simulated(mean, sd, n, seed=0, runs=RUNS):
    """That many experiments of n paired differences with this true mean and spread."""
    return np.random.default_rng(seed).normal(mean, sd, (runs, n))


@pytest.fixture(scope="module")
def null():
    return [statistics.student(d, margin=0.2) for d in simulated(0.2, 0.4, 30)]


def test_the_interval_covers_the_true_mean_19_times_in_20(null):
    assert 0.93 < np.mean([f.low < 0.2 < f.high for f in null]) < 0.97


def test_no_difference_is_found_1_time_in_20():
    found = [statistics.student(d).p < 0.05 for d in simulated(0, 0.4, 30)]
    assert 0.04 < np.mean(found) < 0.06


def test_a_difference_at_the_margin_is_called_equivalent_1_time_in_20(null):
    assert 0.04 < np.mean([f.tost < 0.05 for f in null]) < 0.06


def test_equivalence_is_the_90_percent_interval_inside_the_margin():
    for differences in simulated(0.1, 0.4, 30, runs=200):
        found = statistics.student(differences, margin=0.2)
        low, high = scipy_stats.ttest_1samp(differences, 0).confidence_interval(0.9)
        assert (found.tost < 0.05) == (low > -0.2 and high < 0.2)


def test_p_and_interval_agree():
    for differences in simulated(0.15, 0.4, 30, runs=200):
        found = statistics.student(differences)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def decided(runs, n, claim, margin=np.nan):
    """The verdicts at this n on runs that are looked at twice, each a family of its own."""
    first = runs[:, :n]
    p = scipy_stats.ttest_1samp(first, 0, axis=1).pvalue
    above = scipy_stats.ttest_1samp(first, -margin, axis=1, alternative="greater").pvalue
    below = scipy_stats.ttest_1samp(first, margin, axis=1, alternative="less").pvalue
    for pair in zip(p, np.maximum(above, below), strict=True):
        adjusted = [statistics.holm([value], looks=2)[0] for value in pair]
        yield statistics.verdict(claim, finding(-0.1, 0.1, margin=margin), *adjusted)


def test_at_either_of_two_looks_no_difference_is_found_1_time_in_20_at_most():
    runs = simulated(0, 0.4, 60, seed=7, runs=2000)
    looks = np.array([list(decided(runs, n, "different")) for n in (30, 60)])
    assert 0.03 < np.mean((looks == "SUPPORTED").any(0)) < 0.055


def test_at_either_of_two_looks_a_difference_at_the_margin_is_equivalent_1_time_in_20_at_most():
    runs = simulated(0.2, 0.4, 60, seed=8, runs=2000)
    looks = np.array([list(decided(runs, n, "equal", margin=0.2)) for n in (30, 60)])
    assert 0.03 < np.mean((looks == "EQUIVALENT").any(0)) < 0.055


def test_holm_by_hand():
    found = statistics.holm([0.01, 0.04, 0.03, np.nan], looks=1)  # x4, x3, x2, never falling
    assert found == pytest.approx([0.04, 0.09, 0.09, 1])
    assert statistics.holm([0.01, 0.04, 0.6], looks=2) == pytest.approx([0.06, 0.16, 1])


def test_holm_is_statsmodelss():
    p = np.random.default_rng(9).uniform(0, 0.2, 23)
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(statistics.holm(p, looks=1), expected)


def test_welch_covers_the_true_difference_when_spreads_differ():
    rng, covered, found = np.random.default_rng(1), [], []
    for _ in range(1000):
        f = statistics.welch(rng.normal(1, 0.1, 40), rng.normal(0, 1, 8), margin=1)
        covered.append(f.low < 1 < f.high)
        found.append(f.tost < 0.05)
    assert 0.93 < np.mean(covered) < 0.97
    assert 0.03 < np.mean(found) < 0.07


def pairs(ratio, runs):
    """Pairs of correlation 0.6 or more, the first `ratio` times as spread as the second."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=(runs, 40))
    a, b = common + rng.normal(0, 0.8, (2, runs, 40))
    return zip(ratio * a + 3, b - 1, strict=True)


def test_the_interval_of_the_spreads_covers_their_ratio_19_times_in_20():
    found = [statistics.spread(a, b) for a, b in pairs(1.5, 1000)]
    assert 0.93 < np.mean([f.low < np.log(1.5) < f.high for f in found]) < 0.97
    for f in found[:200]:
        assert (f.p < 0.05) == (f.low > 0 or f.high < 0)


def test_equal_spreads_of_outliers_are_called_different_less_than_1_time_in_10():
    """Where Pitman and Morgan's test, which needs normal values, says so one time in five."""
    rng = np.random.default_rng(3)
    common, own = rng.standard_t(3, (1000, 30)), rng.standard_t(3, (2, 1000, 30))
    found = [statistics.spread(a, b).p for a, b in zip(*(0.75 * common + own), strict=True)]
    assert np.mean(np.array(found) < 0.05) < 0.1


def test_share_leaves_ties_out_and_is_the_sign_test():
    found = statistics.share([1, 2, 3, 4, 5, 6, -1, 0])
    assert (found.mean, found.n) == (pytest.approx(6 / 7 - 0.5), 7)
    assert found.p == pytest.approx(2 * (1 + 7) / 2**7)
    assert found.low < 6 / 7 - 0.5 < found.high <= 0.5
    nothing = statistics.share([0, 0, 0])
    assert (nothing.low, nothing.high, nothing.p, nothing.n) == (-0.5, 0.5, 1, 0)


def finding(low, high, tost=1.0, p=0.01, margin=0.2, outside=1.0):
    return Finding((low + high) / 2, low, high, 40, p, tost, margin, outside)


def test_the_weakest_is_the_rival_nearest_to_winning_and_a_loss_is_corrected():
    strong, weak = finding(0.5, 0.7), finding(0.05, 0.35)
    assert statistics.weakest([strong, weak]).p == weak.p
    lost = statistics.weakest([strong, finding(-0.4, -0.1, p=0.02, tost=0.3)])
    assert (lost.mean, lost.p, lost.tost) == pytest.approx((-0.25, 0.04, 0.6))
    assert statistics.weakest([finding(0.1, 1.1), finding(0.15, 0.25)]).high == 1.1


def test_the_weakest_is_one_seen_inside_the_margin_before_any_other_that_is_higher():
    doubtful, sure = finding(0.01, 1.1, p=0.04), finding(0.05, 0.15, p=0.001, tost=0.04)
    found = statistics.weakest([doubtful, sure])
    assert (found.high, found.p, found.tost) == pytest.approx((0.15, 0.04, 0.08))
    assert statistics.verdict("higher", found, found.p, found.tost) == "INCONCLUSIVE"
    assert statistics.weakest([finding(-0.3, 0.1), sure]).high == 0.1  # not higher is worse


def test_of_runs_that_never_differ_none_is_the_best():
    same = statistics.student([0.0, 0.0, 0.0, 0.0], 0.2)
    found = statistics.weakest([finding(0.5, 0.7), same])
    assert found.mean == 0 and statistics.verdict("higher", found, 1, found.tost) == "REFUTED"


def test_one_rival_inside_the_margin_is_enough_against_the_best():
    inside, unsure = finding(0.03, 0.09, tost=0.001), finding(0.0, 0.5, tost=0.4)
    assert statistics.weakest([unsure, inside]).tost == pytest.approx(0.002)


def test_the_least_equal_decides_for_all():
    first, last = finding(-0.1, 0.1, tost=0.01), finding(-0.3, 0.1, tost=0.2)
    assert statistics.least_equal([first, last]) == last
    wide, off = finding(-0.5, 0.5, tost=0.3), finding(0.1, 0.14, tost=0.01)
    assert statistics.least_equal([wide, off]) == wide  # not the largest mean


def test_that_one_of_several_lies_outside_is_corrected_for_the_choice_that_all_do_is_not():
    found = [finding(0.3, 0.5, outside=0.01), finding(0.2, 0.4, outside=0.03)]
    assert statistics.least_equal(found).outside == pytest.approx(0.02)
    assert statistics.most_equal(found).outside == 0.03


def test_outside_is_the_one_sided_p_beyond_the_margin():
    values = np.random.default_rng(3).normal(0.5, 0.3, 17)
    expected = scipy_stats.ttest_1samp(values, 0.2, alternative="greater").pvalue
    assert statistics.student(values, 0.2).outside == pytest.approx(expected)
    assert statistics.student(-values, 0.2).outside == pytest.approx(expected)
    assert np.isnan(statistics.student(values).outside)


def test_an_arm_that_moves_the_mean_less_is_found_whatever_the_pairs_noise():
    """Seed by seed the first is farther from 0, as its noise is; its mean is nearer."""
    rng = np.random.default_rng(4)
    small, large = rng.normal(0.02, 0.5, 60), rng.normal(-0.3, 0.1, 60)
    found = statistics.moves_less(small, large)
    assert np.mean(abs(small)) > np.mean(abs(large))
    assert found.mean == pytest.approx(abs(small.mean()) - abs(large.mean()))
    assert found.low < found.mean < found.high < 0 and found.p < 0.01 and found.n == 60
    assert statistics.moves_less(large, small).p == found.p
    assert statistics.moves_less(small, -small).p == 1


def test_the_most_equal_of_three_is_corrected_for_the_choice():
    found = statistics.most_equal([finding(0.4, 0.6), finding(0, 0.1, tost=0.01), finding(0, 0.4)])
    assert (found.mean, found.tost) == pytest.approx((0.05, 0.03))


UP, DOWN, FAR = finding(0.1, 0.5), finding(-0.5, -0.1), finding(0.21, 0.5, outside=0.02)


@pytest.mark.parametrize(
    ("claim", "found", "p", "tost", "expected"),
    [
        ("higher", UP, 0.01, 1, "SUPPORTED"),
        ("lower", UP, 0.01, 1, "REFUTED"),
        ("lower", DOWN, 0.01, 1, "SUPPORTED"),
        ("higher", DOWN, 0.01, 1, "REFUTED"),
        ("different", DOWN, 0.01, 1, "SUPPORTED"),
        ("higher", UP, 0.06, 1, "INCONCLUSIVE"),  # the adjusted p decides, not the interval
        ("higher", UP, 0.01, 0.01, "REFUTED"),  # there, but inside the margin
        ("different", UP, 0.5, 0.01, "REFUTED"),
        ("equal", UP, 0.5, 0.01, "EQUIVALENT"),
        ("equal", UP, 0.01, 0.06, "INCONCLUSIVE"),  # the interval reaches into the margin
        ("equal", FAR, 0.01, 1, "REFUTED"),
        ("equal", finding(-0.5, -0.21, outside=0.02), 0.01, 1, "REFUTED"),
        ("equal", finding(-0.5, -0.21, outside=0.06), 0.01, 1, "INCONCLUSIVE"),  # adjusted
        ("higher", UP, 0.01, np.nan, "SUPPORTED"),  # no margin
        ("higher", finding(0.1, 0.19), 0.01, 0.06, "INCONCLUSIVE"),  # there, and seen inside
        ("lower", finding(0.1, 0.19, margin=np.nan), 0.01, np.nan, "REFUTED"),
        ("higher", finding(-0.19, -0.1), 0.01, 0.06, "REFUTED"),  # however small, the other side
        ("lower", finding(0.1, 0.19), 0.01, 0.06, "REFUTED"),
        ("different", finding(-0.19, -0.1), 0.01, 0.06, "INCONCLUSIVE"),
        ("unequal", FAR, 0.01, 1, "SUPPORTED"),
        ("unequal", UP, 0.01, 0.06, "INCONCLUSIVE"),
        ("unequal", UP, 0.5, 0.01, "REFUTED"),
    ],
)
def test_verdict(claim, found, p, tost, expected):
    assert statistics.verdict(claim, found, p, tost, found.outside) == expected


def test_the_rank_correlation_is_spearmans_and_its_interval_holds_the_true_one():
    x, y = [1, 2, 3, 4, 5, 6, 7], [2, 1, 4, 3, 70, 6, 5]
    ranks = np.array([2, 1, 4, 3, 7, 6, 5])
    expected = 1 - 6 * np.sum((ranks - np.arange(1, 8)) ** 2) / (7 * 48)
    assert statistics.rank_correlation(x, y).mean == pytest.approx(expected)
    rng, rho = np.random.default_rng(3), 0.7
    true, covered = 6 / np.pi * np.arcsin(rho / 2), 0  # of normal variables
    for _ in range(1000):
        a, b = rng.normal(size=(2, 22))
        found = statistics.rank_correlation(a, rho * a + np.sqrt(1 - rho**2) * b)
        covered += found.low < true < found.high
    assert 0.93 < covered / 1000 < 0.97 and found.n == 22


def test_a_perfect_order_has_an_interval_of_no_length():
    found = statistics.rank_correlation([1, 2, 3, 4], [10, 20, 40, 80])
    assert (found.low, found.mean, found.high) == (1, 1, 1)
