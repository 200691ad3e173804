"""Each statistic and metric on made runs, and what is said where runs are missing."""

import dataclasses

import numpy as np
import pytest
from made_runs import made, noise, runs
from made_world import whole

from report.study import archive
from report.study.claims import findings
from report.study.claims.book import ARMS, CLAIMS, FIRST, LAST, Claim
from report.study.claims.findings import MissingRuns
from report.study.experiments import EXPERIMENTS

VALUES = {"bn": 0.90, "none": 0.87, "bn_keras": 0.91, "ln": 0.84, "wn": 0.885}


@pytest.mark.parametrize(
    ("statistic", "names", "expected"),
    [
        ("difference", ["bn", "none"], 3),
        ("interaction", ["bn", "none", "bn_keras", "ln"], 3 - 7),
        ("distance", ["none", "bn"], 3),
        ("moves_less", ["wn", "ln", "none"], 1.5 - 3),
        ("best", ["bn_keras", "none", "bn"], 1),
        ("best", ["bn", "none", "bn_keras"], -1),
        ("consistency", ["bn", "none"], 0.5),
        ("closest", ["none", "bn", "wn"], 1.5),
        ("closest", ["none", "wn", "ln"], 1.5),
    ],
)
def test_statistic(statistic, names, expected):
    jitter = dict(zip(VALUES, np.random.default_rng(6).normal(0, 1e-5, (5, 60)), strict=True))
    records = runs(**{name: VALUES[name] + jitter[name] for name in names})
    claim = Claim("X", "", "", arms=tuple(names), statistic=statistic, margin=0.2)
    assert findings.find(claim, records, LAST).mean == pytest.approx(expected, abs=0.01)


def test_between_seeds_uses_each_seed_once():
    values = 0.88 + np.arange(len(LAST)) / 1e4
    claim = Claim("X", "", "", arms=("none",), statistic="between_seeds", over=0.11)
    found = findings.find(claim, runs(none=values), LAST)
    assert (found.mean, found.n) == (pytest.approx(0.3 - 0.11), len(LAST) // 2)


def test_spread_is_of_the_first_arm_over_the_second():
    base = noise(1)
    records = runs(bn=0.5 + 2 * base, none=base + noise(2, 0, 1e-6))
    claim = Claim("X", "", "", arms=("bn", "none"), statistic="spread")
    assert findings.find(claim, records, LAST).mean == pytest.approx(np.log(2), abs=0.01)


def swapped(columns):
    return dict(zip(columns, reversed(columns.values()), strict=True))


@pytest.mark.parametrize("of", ["training", "test"])
def test_each_epoch_takes_the_epoch_that_differs_most(of):
    records = runs(bn=noise(1), none=noise(2))
    for (arm, seed), r in records.items():
        gap = [0, 0.05, 0, 0] if arm == ARMS["bn"] else [0, 0, 0, 0]
        jitter = np.random.default_rng(seed).normal(0, 1e-3, 4) * (arm == ARMS["bn"])
        curve = [0.8 + g + j for g, j in zip(gap, jitter, strict=True)]
        other = [0.8 + j for j in jitter]
        columns = {"train_accuracy": curve, "test_accuracy": other}
        records[arm, seed] = dataclasses.replace(
            r, **columns if of == "training" else swapped(columns)
        )
    claim = Claim(
        "X", "", "", arms=("bn", "none"), statistic="each_epoch",
        metric="accuracy_by_epoch", margin=0.2,
    )  # fmt: skip
    found = findings.find(claim, records, LAST)
    assert found.mean == pytest.approx(5, abs=0.1) and found.tost > 0.9


RUN = made("bn", 0, train_loss=[0.6, 0.3, 0.2, 0.1], train_accuracy=[0.5, 0.87], seconds=12.5)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("test_accuracy", 88),
        ("train_accuracy", 87),
        ("generalization_gap", -1),
        ("mean_training_loss", 0.3),
        ("first_epoch_loss", 0.6),
        ("seconds", 12.5),
    ],
)
def test_metric(metric, expected):
    assert findings.METRICS[metric][0](RUN) == pytest.approx(expected)


def test_seconds_are_compared_on_one_processor():
    records = archive.read([archive.COMMITTED])
    timed = [claim for claim in CLAIMS.values() if claim.arms and claim.metric == "seconds"]
    assert timed
    for claim in timed:
        there = [s for s in LAST if all((arm, s) in records for arm in claim.settings())]
        assert set(FIRST) <= set(there)
        for seed in there:
            assert len({records[arm, seed].environment["cpu"] for arm in claim.settings()}) == 1


def test_what_is_complete_is_not_complained_of():
    tested = [claim for claim in CLAIMS.values() if claim.arms]
    for seeds in (FIRST, LAST):
        findings.require(tested, whole(), seeds)


@pytest.mark.parametrize(
    ("names", "seeds", "sweeps"),
    [
        (["H2"], FIRST, ["headline"]),
        (["L3"], FIRST, ["best_rates"]),
        (["H2", "L3"], FIRST, ["headline", "best_rates"]),
        (["H1", "L3"], LAST, ["second_look"]),
    ],
)
def test_missing_runs_are_counted_with_their_claims_and_the_sweep_that_trains_them(
    names, seeds, sweeps
):
    claims = [CLAIMS[name] for name in names]
    there = {key: r for key, r in whole().items() if key[1] != seeds[-1]}
    lost = {(arm, seed) for c in claims for arm in c.settings() for seed in seeds} - there.keys()
    with pytest.raises(MissingRuns) as raised:
        findings.require(claims, there, seeds)
    commands = " and ".join(f"python3 lab.py sweep {name}" for name in sweeps)
    assert str(raised.value) == (
        f"The records lack {len(lost)} of the runs that decide {', '.join(names)}. Train them "
        f"with: {commands}"
    )
    for arm, seed in lost:
        assert any((arm, seed) in EXPERIMENTS[name].runs() for name in sweeps)


def test_only_the_claims_that_lack_runs_are_named():
    there = whole()
    del there[ARMS["wn"], FIRST[0]]
    with pytest.raises(MissingRuns, match=r"lack 1 of the runs that decide H3, H6\. Train"):
        findings.require([CLAIMS[name] for name in ("H1", "H3", "H5", "H6")], there, FIRST)
