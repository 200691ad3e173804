"""What a setting does to the test error: exploratory records as a table, and paired gaps of them.

A run that diverged counts as a guess wherever an error is asked for, and `diverged` counts it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import pandas as pd

from normlib.arm import Arm
from report.study import comparisons
from report.study.archive import Record
from report.study.comparisons import Interval

CHANCE = 100 - comparisons.GUESS  # error of a guess, in percent


def table(records: Iterable[Record]) -> pd.DataFrame:
    """One row per run: its mode, all settings of its arm, seed, final error (%), diverged."""
    return pd.DataFrame([_row(record) for record in records])


def _row(record: Record) -> dict:
    diverged = record.diverged is not None
    error = CHANCE if diverged else 100 - 100 * record.test_accuracy[-1]
    found = {"mode": record.arm.mode, "seed": record.seed, "error": error, "diverged": diverged}
    return asdict(record.arm) | found


def errors(records: Iterable[Record], arm: Arm) -> pd.Series:
    """The arm's final error in percent by seed."""
    return 100 - comparisons.final(records, arm).fillna(comparisons.GUESS)


def gap(records: Sequence[Record], arm: Arm, reference: Arm) -> Interval:
    """The arm's error less the reference's, seed by seed."""
    return comparisons.paired(errors(records, arm), errors(records, reference))


def gap_of_gaps(records: Sequence[Record], *arms: Arm) -> Interval:
    """(a - b) - (c - d) of four arms' errors, seed by seed."""
    a, b, c, d = (errors(records, arm) for arm in arms)
    return comparisons.paired(a - b, c - d)


def beyond(found: Interval, points: float) -> Interval:
    """The interval of how far the gap lies above this many points."""
    low, mean, high = (value - points for value in (found.low, found.mean, found.high))
    return Interval(mean, low, high, found.n)


def means(records: Iterable[Record], setting: str) -> pd.DataFrame:
    """Mean errors in percent: one row per value of the setting, one column per mode."""
    return table(records).pivot_table(index=setting, columns="mode", values="error", sort=False)


def survived(records: Iterable[Record], setting: str, limit: float = 50) -> pd.Series:
    """The highest value of the setting, by mode, at which every seed's error is below the limit."""
    worst = table(records).groupby(["mode", setting])["error"].max()
    return worst[worst < limit].reset_index().groupby("mode")[setting].max()
