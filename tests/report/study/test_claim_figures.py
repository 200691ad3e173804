"""The figures of the claims, and the lottery."""

import numpy as np
import pytest
from made_runs import made, noise, runs
from made_world import whole

from report.study import arms, claim_figures, replication_lottery
from report.study.claims import verdicts
from report.study.claims.book import FIRST, LAST


def drawn(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker]


def test_forest_draws_effects_margins_and_the_published_differences():
    ledger = verdicts.ledger(whole())
    chosen = ledger[ledger["id"].isin(["H1", "H3", "H10", "E6", "H4"])]
    points, nats = claim_figures.forest(chosen).axes
    rows = chosen.set_index("id")
    dots = [dot.get_xdata()[0] for dot in drawn(points, "o")]
    assert dots == list(rows.loc[["H1", "H3", "H10", "E6"], "mean"])
    diamonds = [(d.get_xdata()[0], d.get_ydata()[0]) for d in drawn(points, "D")]
    assert diamonds == [(pytest.approx(0.30), 0), (pytest.approx(0.21), 1)]
    assert [bar.get_width() for bar in points.patches] == pytest.approx([0.4, 0.4, 0.4, 1.0])
    assert nats.patches[0].get_width() == pytest.approx(0.008)
    labels = [label.get_text() for label in points.get_yticklabels()]
    assert labels[0] == f"H1: BN − none, n = {rows.loc['H1', 'n']}"
    assert labels[2] == "H10: (LN hidden − none) − (LN hidden He − none He), n = 30"


def test_forest_names_the_verdicts_row_by_row():
    base = noise(1)
    columns = {"none": base, "wn": base + noise(2, 0.04), "bn": base + noise(3, 0, 1e-4)}
    rows = verdicts.ledger(whole(**columns)).loc[[2, 0]]
    (ax,) = claim_figures.forest(rows).axes
    named = [(text.get_position()[1], text.get_text()) for text in ax.texts]
    assert list(rows["id"]) == ["H3", "H1"] and named == [(0, "SUPPORTED"), (1, "REFUTED")]


def test_accuracy_stands_over_the_error_of_the_gradient():
    ledger = verdicts.ledger(whole())
    rows = ledger[ledger["id"].isin(["E6", "E7"])]
    (ax,) = claim_figures.accuracy_by_error(rows, {"E6": 0.1, "E7": 1.5}).axes
    dots = [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in drawn(ax, "o")]
    assert dots == list(zip((10, 150), rows["mean"], strict=True))
    assert [text.get_text() for text in ax.texts] == ["constant\nvariance", "constant\nmean"]


def test_the_lottery_knows_the_published_order():
    published = dict(zip(replication_lottery.MODES, arms.REPORTED.values(), strict=True))
    sure = replication_lottery.lottery(runs(**{m: v / 100 for m, v in published.items()}))
    shares = sure.set_index("sentence")["share of draws"]
    assert shares.iloc[0] == 1
    assert shares.filter(like="C19a").item() == 1 and shares.filter(like="C2a").item() == 1
    rng = np.random.default_rng(7)
    chance = replication_lottery.lottery(
        runs(**{m: rng.normal(0.88, 0.003, 60) for m in replication_lottery.MODES})
    )
    assert chance["share of draws"].iloc[0] < 0.02
    best_of_three = chance.set_index("sentence")["share of draws"].filter(like="C5a").item()
    assert 0.2 < best_of_three < 0.45
    assert len(chance) > 5
    assert chance["chance"].iloc[0] == pytest.approx(1 / 720)
    assert chance.loc[chance["sentence"].str.contains("C5a"), "chance"].item() == 1 / 3
    (ax,) = claim_figures.shares(chance).axes
    shares = 100 * chance["share of draws"]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(shares.tolist())
    right = np.maximum(shares, 100 * chance["chance"])
    assert all(text.get_position()[0] > x for text, x in zip(ax.texts, right, strict=True))


def test_the_lottery_draws_from_the_first_looks_seeds_with_which_no_mode_diverged():
    records = runs(LAST, **{mode: noise(i) for i, mode in enumerate(replication_lottery.MODES)})
    assert replication_lottery.seeds(records) == list(FIRST)
    for seed in FIRST[5:]:
        lost = made(replication_lottery.MODES[2], seed, diverged=5, test_accuracy=[])
        records[lost.key] = lost
    assert replication_lottery.seeds(records) == list(FIRST[:5])
    assert replication_lottery.lottery(records)["share of draws"].between(0, 1).all()
