"""Paired comparisons of records, with intervals and tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its `stats` loads at its first use, half a second that a sweep need not wait

from normlib.arm import Arm
from report.study.arms import REPORTED
from report.study.record import Record

GUESS = 10.0  # accuracy of a guess among ten classes, in percent: what a diverged run counts as


@dataclass(frozen=True)
class Interval:
    """An estimate from n values and its 95 % interval; `interval` makes that of a mean."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """Whether the mean is "higher" or "lower" than 0, or "not resolved"."""
        return "higher" if self.low > 0 else "lower" if self.high < 0 else "not resolved"


def minus(number: str) -> str:
    """The number with a true minus sign."""
    return number.replace("-", "\N{MINUS SIGN}")


def signed(value: float, digits: int = 2) -> str:
    """The number with its sign and so many digits; what rounds to zero is +0."""
    return minus(f"{round(value, digits) + 0.0:+.{digits}f}")


def estimate(found: Interval, unit: str = "", digits: int = 2) -> str:
    """The mean with its interval: `+0.31 (+0.20 to +0.42)`, a unit after the mean."""
    return f"{signed(found.mean, digits)}{unit} ({between(found.low, found.high, digits)})"


def between(low: float, high: float, digits: int = 2) -> str:
    """The ends of an interval: `+0.20 to +0.42`."""
    return f"{signed(low, digits)} to {signed(high, digits)}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of the values and its 95 % interval; raises ValueError for fewer than two."""
    if len(values) < 2:
        raise ValueError(
            f"an interval needs at least 2 values; received {len(values)}. Train more seeds."
        )
    low, high = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return Interval(float(np.mean(values)), float(low), float(high), len(values))


def accuracy(record: Record) -> float:
    """Its final test accuracy in percent; a run that diverged counts as a guess."""
    return 100 * record.test_accuracy[-1] if record.diverged is None else GUESS


def final(records: Iterable[Record], arm: Arm) -> pd.Series:
    """The arm's final test accuracy by seed, in percent; NaN for a diverged run."""
    return _by_seed(records, arm, accuracy)


def mean_training_loss(records: Iterable[Record], arm: Arm) -> pd.Series:
    """The arm's training loss averaged over the whole run, in nats, by seed: how fast it learns.

    NaN for a run that diverged.
    """
    return _by_seed(records, arm, lambda record: float(np.mean(record.train_loss)))


def _by_seed(records: Iterable[Record], arm: Arm, value: Callable[[Record], float]) -> pd.Series:
    found = {r.seed: value(r) if r.diverged is None else np.nan for r in records if r.arm == arm}
    return pd.Series(found, name=arm.label, dtype=float).sort_index()


def loss_distance(records: Sequence[Record], arm: Arm, other: Arm) -> pd.DataFrame:
    """|loss of arm - loss of other| every 10 steps, in nats: a row per step, a column per seed."""
    losses = {r.key: np.array(r.loss_every_10) for r in records}
    seeds = sorted(seed for a, seed in losses if a == arm)
    frame = pd.DataFrame({s: np.abs(losses[arm, s] - losses[other, s]) for s in seeds})
    return frame.set_index(10 * frame.index.rename("step"))


def paired(values: pd.Series, reference: pd.Series) -> Interval:
    """The interval of the differences seed by seed; raises ValueError if the seeds differ."""
    if not values.index.equals(reference.index):
        raise ValueError(
            f"paired runs need the same seeds; received {list(values.index)} and "
            f"{list(reference.index)}."
        )
    return interval((values - reference).to_numpy())


def final_table(records: Sequence[Record], arms: Iterable[Arm]) -> pd.DataFrame:
    """One row per arm: published and our final test accuracy in percent, interval, extremes, n."""
    return pd.DataFrame([_row(arm, final(records, arm)) for arm in arms])


def _row(arm: Arm, values: pd.Series) -> dict:
    ours = interval(values.to_numpy())
    return {
        "mode": arm.label,
        "published, 1 run (%)": f"{REPORTED[arm]:.2f}" if arm in REPORTED else "–",
        "ours, mean (%)": f"{ours.mean:.2f}",
        "95 % interval": f"{ours.low:.2f} to {ours.high:.2f}",
        "lowest to highest seed": f"{values.min():.2f} to {values.max():.2f}",
        "n": ours.n,
    }


def difference_table(records: Sequence[Record], pairs: Iterable[tuple[Arm, Arm]]) -> pd.DataFrame:
    """One row per pair (arm, reference): paired difference of final accuracy, interval, verdict."""
    return pd.DataFrame([_difference(records, *pair) for pair in pairs])


def _difference(records, arm: Arm, reference: Arm) -> dict:
    found = paired(final(records, arm), final(records, reference))
    return {
        "difference": f"{arm.label} {minus('-')} {reference.label}",
        "mean (points)": signed(found.mean),
        "95 % interval": between(found.low, found.high),
        "n": found.n,
        "verdict": found.verdict,
    }
