"""The ledger against a second program of the same rules, on worlds of made runs."""

import dataclasses
import math

import numpy as np
import pytest
import second_reading
from made_runs import record

from report.study.claims import book, verdicts
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


def runs(number, keep):
    return {r.key: r for r in world(number) if keep(r)}


def diverged(found, number):
    """The same with some runs of some arms diverged."""
    rng = np.random.default_rng([8, number])
    lost = [key for key in found if rng.random() < 0.005]
    none = {"train_loss": [], "train_accuracy": [], "test_accuracy": [], "diverged": 5}
    return found | {key: dataclasses.replace(found[key], **none) for key in lost}


def same(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-6, abs=1e-9)


def compare(records):
    """Every row that has a test, and what is to be looked at again; return the verdicts."""
    expected, again = second_reading.ledger(records, ARMS)
    assert set(verdicts.inconclusive(records)) == again
    found = verdicts.ledger(records).set_index("id")
    for name, (verdict, look, outcome, p, estimate) in expected.items():
        row = found.loc[name]
        assert row[["verdict", "look", "outcome"]].tolist() == [verdict, look, outcome], name
        shown = math.nan if row["adjusted p"] == "–" else float(row["adjusted p"])
        assert same(shown, float(f"{p:.2g}")), name
        if estimate:
            assert row["n"] == estimate.n and all(
                same(row[end], getattr(estimate, end)) for end in ("mean", "low", "high")
            ), name
    return {(row["verdict"], row["look"]) for _, row in found.iterrows() if CLAIMS[row.name].arms}


FIRST = LAST[: len(book.FIRST)]


@pytest.mark.parametrize("number", range(3))
def test_a_first_and_a_second_look_are_those_of_the_second_reading(number):
    first = runs(number, lambda r: r.seed in FIRST)
    assert ("pending", 0) not in compare(first)
    again = {arm for name in verdicts.inconclusive(first) for arm in CLAIMS[name].settings()}
    assert again
    second = runs(number, lambda r: r.seed in FIRST or r.arm in again)
    assert {look for _, look in compare(second)} == {1, 2}
    compare(diverged(second, number))


def test_sixty_seeds_of_everything_and_few_of_some_are_read_alike():
    compare(runs(3, lambda r: True))
    fewer = dict(zip(EVERY, np.random.default_rng(9).integers(2, 75, len(EVERY)), strict=True))
    assert ("pending", 0) in compare(runs(4, lambda r: r.seed - LAST[0] < fewer[r.arm]))
