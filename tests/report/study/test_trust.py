"""How far to trust the ledger: seeds needed, and the same runs by other tests."""

import dataclasses

import numpy as np
import pytest
from made_runs import noise, record, runs

from report.study import archive, statistics
from report.study.claims import conclusions, trust
from report.study.claims.book import ARMS, FIRST, LAST


def test_the_pilot_asks_for_more_seeds_than_the_last_look_has():
    records = {k: r for k, r in archive.read([archive.PUBLISHED]).items() if k[1] not in LAST}
    table = trust.sizes(records)
    assert (len(FIRST), len(LAST)) == (30, 60) and LAST[:30] == FIRST
    assert table["seeds needed"].max() > len(LAST)
    seen = table.loc[table["unit"] == "points", "detectable difference, n = 60"]
    assert f"{seen.min():.2f} to {seen.max():.2f} points (n = 60)" in conclusions.limits(records)


def test_sizes_are_for_one_of_two_looks_in_holms_worst_case():
    columns = {"bn": noise(1), "none": noise(2), "bn_keras": noise(3)}
    table = trust.sizes(runs(**columns), LAST).set_index("id")
    sd = 100 * (columns["bn"] - columns["none"]).std(ddof=1)
    assert table.loc["H1", "sd"] == pytest.approx(sd)
    level = 0.05 / 2 / 12
    assert table.loc["H1", "seeds needed"] == statistics.seeds_for_difference(sd, 0.2, level)
    for n in (30, 60):
        seen = table.loc["H1", f"detectable difference, n = {n}"]
        assert seen == pytest.approx(statistics.detectable(sd, n, level))
    needed = statistics.seeds_for_equivalence(table.loc["E1", "sd"], 0.2, 0.05 / 2 / 9)
    assert table.loc["E1", "seeds needed"] == needed


def test_robustness_table_agrees_with_student_on_normal_runs():
    labels = record().predictions
    base = noise(1)[:30]
    records = runs(FIRST, none=base, ln_hidden=base + noise(2, 0.004, 0.003)[:30])
    rng = np.random.default_rng(8)
    for key, r in records.items():
        wrong = rng.random(len(labels)) < (0.10 if key[0] == ARMS["none"] else 0.08)
        records[key] = dataclasses.replace(r, predictions=np.where(wrong, 10, labels))
    table = trust.robustness_table(records, labels).set_index("id")
    row = table.loc["H2"]
    assert row["sign flips"] < 0.001 and row["Wilcoxon"] < 0.001 and row["t"] < 0.001
    low, high = map(float, row["seeds and images"].replace("−", "-").split(" to "))
    assert 0 < low < 2 < high < 4
    assert row["Welch"] > row["t"]  # the pairs share their base
