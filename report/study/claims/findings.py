"""What the runs say of a claim: its metric of each arm, its statistic of those, a finding.

Records are given by (arm, seed), as `archive.read` returns them.
"""

from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import pandas as pd

from report.study import comparisons, statistics
from report.study.claims.book import CLAIMS, FIRST, LAST, Claim
from report.study.record import Record
from report.study.statistics import Finding

Records = dict  # of records by (arm, seed)
Seeds = tuple[int, ...]

# What a metric takes from a record, and its unit.
METRICS: dict[str, tuple[Callable[[Record], float | list], str]] = {
    "test_accuracy": (lambda r: 100 * r.test_accuracy[-1], "points"),
    "train_accuracy": (lambda r: 100 * r.train_accuracy[-1], "points"),
    "accuracy_by_epoch": (
        lambda r: 100 * np.array([*r.train_accuracy, *r.test_accuracy]),
        "points",
    ),
    "generalization_gap": (lambda r: 100 * (r.train_accuracy[-1] - r.test_accuracy[-1]), "points"),
    "mean_training_loss": (lambda r: np.mean(r.train_loss), "nats"),
    "first_epoch_loss": (lambda r: r.train_loss[0], "nats"),
    "seconds": (lambda r: r.seconds, "s"),
}


def difference(a, b):
    """The first arm less the second, seed by seed."""
    return a - b


def interaction(a, b, c, d):
    """The first difference less the second: (a - b) - (c - d)."""
    return (a - b) - (c - d)


def distance(a, b):
    """How far apart the two arms are with each seed, whichever is higher."""
    return abs(a - b)


def between_seeds(a):
    """How far apart one arm's runs with two seeds are; each seed in one pair."""
    half = len(a) // 2
    return pd.Series(np.abs(a.to_numpy()[:half] - a.to_numpy()[half : 2 * half]))


def spread(a, b, margin):
    """See `statistics.spread`."""
    return statistics.spread(a, b)


def moves_less(a, b, c, margin):
    """How much farther the first arm's mean is from the last arm's than the second's is."""
    return statistics.moves_less(a - c, b - c)


def consistency(a, b, margin):
    """See `statistics.share`."""
    return statistics.share(a - b)


def best(a, *others, margin):
    """The first arm less the one of the others that comes nearest to beating it."""
    return statistics.weakest([statistics.student(a - other, margin) for other in others])


def each_epoch(a, b, margin):
    """Of the differences in each epoch, the one least shown to be inside the margin."""
    return statistics.least_equal([statistics.student(a[e] - b[e], margin) for e in a])


def closest(a, *others, margin):
    """The other arm that is best shown to be inside the margin, less the first arm."""
    return statistics.most_equal([statistics.student(other - a, margin) for other in others])


STATISTICS = {
    "difference": difference,
    "interaction": interaction,
    "distance": distance,
    "moves_less": moves_less,
    "between_seeds": between_seeds,
    "best": best,
    "each_epoch": each_epoch,
    "closest": closest,
    "spread": spread,
    "consistency": consistency,
}
PER_SEED = ("difference", "interaction", "distance", "between_seeds")  # give one value per seed
UNITS = {"spread": "log ratio", "consistency": "of the seeds over one half"}  # not the metric's


def unit(claim: Claim) -> str:
    """The unit of a claim's effect."""
    return UNITS.get(claim.statistic) or METRICS[claim.metric][1]


class MissingRuns(ValueError):
    """The records lack runs that claims need."""


def require(claims: Iterable[Claim], records: Records, seeds: Seeds) -> None:
    """Raise MissingRuns, which names the sweeps to run, unless every arm has all these seeds."""
    missing = {
        claim.id: [run for run in product(claim.settings(), seeds) if run not in records]
        for claim in claims
    }
    lacking = [name for name, runs in missing.items() if runs]
    if lacking:
        count = len(set().union(*missing.values()))
        sweeps = dict.fromkeys(_sweep(CLAIMS[name], seeds) for name in lacking)
        commands = " and ".join(f"python3 lab.py sweep {name}" for name in sweeps)
        raise MissingRuns(
            f"The records lack {count} of the runs that decide {', '.join(lacking)}. Train them "
            f"with: {commands}"
        )


def _sweep(claim: Claim, seeds: Seeds) -> str:
    """The experiment that has the claim's arms with these seeds."""
    if seeds == FIRST and claim.rates:
        return "best_rates"
    return {FIRST: "headline", LAST: "second_look"}[seeds]


def diverged(claim: Claim, records: Records, seed: int) -> bool:
    """Whether any arm of the claim diverged with this seed."""
    return any(records[arm, seed].diverged is not None for arm in claim.settings())


def usable(claim: Claim, records: Records, seeds: Iterable[int]) -> list[int]:
    """Those of the seeds that every arm has a value of: a diverged run has only that of a guess."""
    guessed = claim.metric == "test_accuracy"
    return [seed for seed in seeds if guessed or not diverged(claim, records, seed)]


def columns(claim: Claim, records: Records, seeds: Iterable[int]) -> list:
    """The metric of each arm by seed, for the usable seeds."""
    seeds = usable(claim, records, seeds)
    frames = [
        pd.DataFrame({s: np.atleast_1d(_value(claim, records[arm, s])) for s in seeds}).T
        for arm in claim.settings()
    ]
    return frames if claim.statistic == "each_epoch" else [frame[0] for frame in frames]


def _value(claim: Claim, record: Record) -> float | np.ndarray:
    return METRICS[claim.metric][0](record) if record.diverged is None else comparisons.GUESS


def samples(claim: Claim, records: Records, seeds: Iterable[int]) -> pd.Series:
    """One value per seed of a statistic in PER_SEED, less what the claim is over."""
    return STATISTICS[claim.statistic](*columns(claim, records, seeds)) - claim.over


def find(claim: Claim, records: Records, seeds: Iterable[int]) -> Finding:
    """The finding of a claim from the records, by (arm, seed), of these seeds."""
    if claim.statistic in PER_SEED:
        return statistics.student(samples(claim, records, seeds).to_numpy(), claim.size)
    return STATISTICS[claim.statistic](*columns(claim, records, seeds), margin=claim.size)
