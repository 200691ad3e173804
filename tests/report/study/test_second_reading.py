"""The ledger against a second program of the same rules, on worlds of made runs."""

import dataclasses
import math
import random

import numpy as np
import pytest
import second_reading
from made_runs import record

from report.study.claims import book, findings, verdicts
from report.study.claims.book import ARMS, CLAIMS, LAST

BEST = [dataclasses.replace(ARMS[n], learning_rate=r) for n, r in book.RATES["chosen"].items()]
EVERY = [*dict.fromkeys([*ARMS.values(), *BEST])]
SIZES = np.array([0, 0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.6, 1])
SPREADS = [0.01, 0.05, 0.1, 0.3, 0.6]


def world(number):
    """Sixty runs of every arm, apart by nothing, by the margin or by much, and as noisy."""
    rng = np.random.default_rng([7, number])
    common, quiet = rng.normal(0, 0.3, len(LAST)), rng.choice([0.3, 1])

    def values(centre, scale, shape=()):
        shift = rng.choice(SIZES) * rng.choice([-1, 1])
        noise = rng.normal(0, quiet * rng.choice(SPREADS), (*shape, len(LAST)))
        return centre + scale * (shift + noise + common)

    for arm in EVERY:
        accuracy, loss = values(0.88, 0.01, (2 * arm.epochs,)), values(0.4, 0.02, (arm.epochs,))
        seconds = values(100, 5)
        for i, seed in enumerate(LAST):
            train, test = np.split(accuracy[:, i].round(4), 2)
            yield record(
                seed, arm=arm, train_accuracy=[*train], test_accuracy=[*test],
                train_loss=[*loss[:, i]], seconds=seconds[i],
            )  # fmt: skip


def diverged(found, number):
    """The same with some runs of some arms diverged."""
    rng = np.random.default_rng([8, number])
    lost = [key for key in found if rng.random() < 0.005]
    none = {"train_loss": [], "train_accuracy": [], "test_accuracy": [], "diverged": 5}
    return found | {key: dataclasses.replace(found[key], **none) for key in lost}


def same(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-6, abs=1e-9)


def compare(records):
    """Hold every row that has a test against the second reading; return the runs it needs."""
    expected, needed = second_reading.ledger(records, ARMS)
    found = verdicts.ledger(records).set_index("id")
    assert set(expected) == {name for name, claim in CLAIMS.items() if claim.arms}
    for name, (verdict, look, outcome, p, estimate) in expected.items():
        row = found.loc[name]
        assert row[["verdict", "look", "outcome"]].tolist() == [verdict, look, outcome], name
        shown = math.nan if row["adjusted p"] == "–" else float(row["adjusted p"])
        assert same(shown, float(f"{p:.2g}")), name
        assert row["n"] == estimate.n and all(
            same(row[end], getattr(estimate, end)) for end in ("mean", "low", "high")
        ), name
    assert {look for _, look, *_ in expected.values()} == {1, 2}
    return needed


@pytest.mark.parametrize("number", [
    0, 1, *(pytest.param(number, marks=pytest.mark.slow) for number in (2, 3, 4))
])  # fmt: skip
def test_the_ledger_is_that_of_the_second_reading(number):
    records = {r.key: r for r in world(number)}
    compare(records)
    compare(diverged(records, number))


def test_the_ledger_needs_the_runs_that_the_second_reading_does_and_no_others():
    records = {r.key: r for r in world(5)}
    needed = compare(records)
    assert len(needed) < len(records)
    fewer = {key: records[key] for key in needed}
    assert verdicts.ledger(fewer).equals(verdicts.ledger(records))
    for key in random.Random(9).sample(list(fewer), 8):
        with pytest.raises(findings.MissingRuns):
            verdicts.ledger({k: r for k, r in fewer.items() if k != key})
