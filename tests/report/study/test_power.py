"""How many seeds are needed, and what size of difference is seen: simulated and made runs."""

import numpy as np
import pytest
from made_runs import noise, runs
from scipy import stats as scipy_stats

from report.study import archive, statistics
from report.study.arms import PILOT_SEEDS
from report.study.claims import book, power
from report.study.claims.book import CLAIMS, FIRST, LAST
from report.study.experiments import EXPERIMENTS

RUNS = 2500


def simulated(mean, sd, n, runs=RUNS):
    """That many experiments of n paired differences with this true mean and spread."""
    return np.random.default_rng(0).normal(mean, sd, (runs, n))


@pytest.mark.parametrize("alpha", [pytest.param(0.05, marks=pytest.mark.slow), 0.05 / 12])
def test_as_many_seeds_as_said_find_the_difference_4_times_in_5(alpha):
    n = power.seeds_for_difference(0.3, 0.2, alpha)
    found = [statistics.student(d).p < alpha for d in simulated(0.2, 0.3, n)]
    assert 0.78 < np.mean(found) < 0.85  # n is whole, so a little above 0.8
    assert power.detectable(0.3, n, alpha) == pytest.approx(0.2, rel=0.05)


def test_as_many_seeds_as_said_find_the_equality_4_times_in_5():
    n = power.seeds_for_equivalence(0.3, 0.2)
    found = [statistics.student(d, 0.2).tost < 0.05 for d in simulated(0, 0.3, n)]
    assert 0.78 < np.mean(found) < 0.85
    assert np.mean(found) == pytest.approx(power.tost_power(0.3, n, 0.2), abs=0.02)


def test_the_power_of_equivalence_is_exact_where_the_spread_leaves_little_room():
    differences = simulated(0, 0.7, 30, runs=20_000)
    half = scipy_stats.t.ppf(0.95, 29) * differences.std(1, ddof=1) / 30**0.5
    found = np.mean(np.abs(differences.mean(1)) + half < 0.25)
    assert power.tost_power(0.7, 30, 0.25) == pytest.approx(found, abs=0.01)


def test_the_detectable_effect_is_right_at_every_n():
    found = [power.detectable(1, n) * n**0.5 for n in range(30, 100)]
    assert found == pytest.approx(np.full(70, 2.85), abs=0.07)  # 1.96 + 0.84, a little more for t


def test_the_pilot_asks_for_more_seeds_than_the_last_look_has():
    records = {k: r for k, r in archive.read([archive.COMMITTED]).items() if k[1] not in LAST}
    arms = EXPERIMENTS["pilot"].arms
    claims = [c for c in book.hypotheses_and_equivalences() if {*c.settings()} <= {*arms}]
    found = power.table(claims, records, PILOT_SEEDS)
    assert (len(FIRST), len(LAST)) == (30, 60) and LAST[:30] == FIRST
    assert found["seeds needed"].max() > len(LAST)
    assert {"H1", "H7", "E4"} < set(found["id"]) and not {"H9", "H10", "E5"} & set(found["id"])


def test_the_table_is_for_one_of_two_looks_in_holms_worst_case():
    columns = {"bn": noise(1), "none": noise(2), "bn_keras": noise(3)}
    found = power.table([CLAIMS["H1"], CLAIMS["E1"]], runs(**columns), LAST).set_index("id")
    sd = 100 * (columns["bn"] - columns["none"]).std(ddof=1)
    assert found.loc["H1", "sd"] == pytest.approx(sd)
    level = 0.05 / 2 / 12
    assert found.loc["H1", "seeds needed"] == power.seeds_for_difference(sd, 0.2, level)
    assert found.loc["H1", "seeds needed, unadjusted"] == power.seeds_for_difference(sd, 0.2, 0.05)
    for n in (30, 60):
        seen = found.loc["H1", f"detectable difference, n = {n}"]
        assert seen == pytest.approx(power.detectable(sd, n, level))
    needed = power.seeds_for_equivalence(found.loc["E1", "sd"], 0.2, 0.05 / 2 / 9)
    assert found.loc["E1", "seeds needed"] == needed
