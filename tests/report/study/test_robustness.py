"""Other tests of the same runs: hand examples, simulated runs, and made ones."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_runs import noise, record, runs

from report.study.claims import book, robustness
from report.study.claims.book import ARMS, CLAIMS


def test_sign_flips_give_the_exact_p_of_few_seeds():
    assert robustness.sign_flip([1.0, 2, 3, 4, 5]) == pytest.approx(2 / 2**5)
    assert robustness.signed_ranks([1.0, 2, 3, 4, 5]) == pytest.approx(2 / 2**5)


def test_bca_covers_the_mean_of_skewed_differences():
    rng = np.random.default_rng(4)
    found = [robustness.bca(rng.exponential(1, 40)) for _ in range(200)]
    assert 0.87 < np.mean([low < 1 < high for low, high in found]) <= 0.98


def test_two_way_has_the_variance_of_seeds_and_of_images():
    rng = np.random.default_rng(5)
    seeds, images = rng.normal(0, 1, (50, 1)), rng.normal(0, 3, (1, 400))
    low, high = robustness.two_way(0.5 + seeds + images, resamples=4000)
    sd = (seeds.var() / 50 + images.var() / 400) ** 0.5
    centre = 0.5 + seeds.mean() + images.mean()
    assert (high - low) / 2 == pytest.approx(1.96 * sd, rel=0.07)
    assert (high + low) / 2 == pytest.approx(centre, abs=0.15 * sd)


def test_superiority_is_the_share_of_seeds_with_wilsons_interval():
    share, low, high = robustness.superiority([1, 1, 1, -1, 0])
    assert share == 0.6
    z, n = 1.959964, 5
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    assert (low, high) == pytest.approx((centre - half, centre + half), rel=1e-5)


def test_the_table_agrees_with_student_on_normal_runs(monkeypatch):
    monkeypatch.setattr(book, "hypotheses_and_equivalences", lambda: [CLAIMS["H2"]])
    labels, base = record().predictions, noise(1)
    records = runs(none=base, ln_hidden=base + noise(2, 0.004, 0.003))
    rng = np.random.default_rng(8)
    for key, r in records.items():
        wrong = rng.random(len(labels)) < (0.10 if key[0] == ARMS["none"] else 0.08)
        records[key] = dataclasses.replace(r, predictions=np.where(wrong, 10, labels))
    (row,) = robustness.table(decided_at(1), records, labels).to_dict("records")
    assert row["sign flips"] < 0.001 and row["Wilcoxon"] < 0.001 and row["t"] < 0.001
    low, high = map(float, row["seeds and images"].replace("−", "-").split(" to "))
    assert 0 < low < 2 < high < 4
    assert row["Welch"] > row["t"]  # the pairs share their base


def test_the_table_has_the_seeds_of_the_look_that_decided(monkeypatch):
    monkeypatch.setattr(book, "hypotheses_and_equivalences", lambda: [CLAIMS["H5"], CLAIMS["H2"]])
    records = runs(none=0.88, ln_hidden=0.88 + np.r_[noise(2, 0.004, 5e-4)[:30], np.full(30, -1)])
    for look, share in {1: "1.00", 2: "0.50"}.items():
        found = robustness.table(decided_at(look), records, record().predictions)
        shares = found.set_index("id")["P(A > B)"]
        assert shares["H2"].startswith(share)
        assert found.loc[0, "seeds and images"] == "–"  # a loss has no images


def decided_at(look):
    """As much of a ledger as says at which look each claim was decided."""
    return pd.DataFrame({"id": list(CLAIMS), "look": look})
