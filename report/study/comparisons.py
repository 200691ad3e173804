"""Paired comparisons of records, with intervals and tables; a live run beside its archived one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its `stats` loads at its first use, half a second that a sweep need not wait

from normlib.arm import Arm
from report.study.arms import REPORTED
from report.study.record import Record


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


def interval(values: Sequence[float]) -> Interval:
    """The mean of the values and its 95 % interval; raises ValueError for fewer than two."""
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 values; received {len(values)}.")
    low, high = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return Interval(float(np.mean(values)), float(low), float(high), len(values))


def final(records: Iterable[Record], arm: Arm) -> pd.Series:
    """The arm's final test accuracy by seed, in percent; NaN for a diverged run."""
    values = {r.seed: _final(r) for r in records if r.arm == arm}
    return pd.Series(values, name=arm.label, dtype=float).sort_index()


def _final(record: Record) -> float:
    return np.nan if record.diverged is not None else 100 * record.test_accuracy[-1]


def mean_training_loss(records: Iterable[Record], arm: Arm) -> pd.Series:
    """The arm's training loss averaged over the whole run, in nats, by seed: how fast it learns.

    NaN for a run that diverged.
    """
    found = {
        r.seed: r.train_loss if r.diverged is None else np.nan for r in records if r.arm == arm
    }
    values = {seed: float(np.mean(losses)) for seed, losses in found.items()}
    return pd.Series(values, name=arm.label, dtype=float).sort_index()


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
        "95 % interval": f"{signed(found.low)} to {signed(found.high)}",
        "n": found.n,
        "verdict": found.verdict,
    }


GUESS = 10.0  # accuracy of a guess among ten classes, in percent: what a diverged run counts as
FIRST_STEPS = 10
# Relative. Other processors round differently, and training amplifies that: our BN and Keras's, one
# function in two orders of operations, are up to 6e-3 apart by then.
SLACK = 1e-2


def first_steps(run: Record, archived: Record) -> float:
    """The largest relative difference of two runs' losses at their first steps, every tenth."""
    count = min(FIRST_STEPS // 10 + 1, len(run.loss_every_10))
    ours, theirs = (np.array(r.loss_every_10[:count]) for r in (run, archived))
    return float(np.max(np.abs(ours - theirs) / theirs))


def same_numbers(run: Record, archived: Record) -> bool:
    """Whether every loss and accuracy of a run equals the archived run's, bit for bit."""
    names = ("loss_every_10", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
    pairs = ((getattr(run, name), getattr(archived, name)) for name in names)
    return all(here == there[: len(here)] for here, there in pairs)


def comparison(run: Record, archived: Record | None) -> str:
    """The sentence on a run made here, beside the archived run whose first epochs it repeats."""
    here = f"Trained here, {run.arm.label} with seed {run.seed} {_what_became(run, run)}."
    if archived is None:
        return (
            f"{here} The archive has no run of this arm with this seed, so there is nothing to "
            "compare it with."
        )
    return f"{here} The archived run {_what_became(archived, run)}. {_agreement(run, archived)}"


def _what_became(record: Record, run: Record) -> str:
    """What became of a record by the last epoch that a run has."""
    epoch = min(len(record.test_accuracy), len(run.test_accuracy)) or len(record.test_accuracy)
    if record.diverged is not None and epoch == len(record.test_accuracy):
        return f"diverged: its loss was not finite at step {record.diverged}"
    return f"scored {_percent(record, epoch)} % on the test images after epoch {epoch}"


def _percent(record: Record, epoch: int) -> str:
    accuracies = record.test_accuracy
    return f"{100 * accuracies[epoch - 1]:.2f}" if 0 < epoch <= len(accuracies) else "diverged"


def _agreement(run: Record, archived: Record) -> str:
    if same_numbers(run, archived):
        return "All losses and accuracies agree bit for bit."
    gap = first_steps(run, archived)
    steps = f"every tenth step up to step {FIRST_STEPS}"
    return f"Their losses differ by at most {gap:.0e} (relative), {steps}."
