"""What a setting does to the test error: exploratory records as a table, and paired gaps of them.

A run that diverged counts as a guess wherever an error is asked for, and `diverged` counts it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import pandas as pd

from normlib.arm import Arm
from report.study import comparisons
from report.study.comparisons import Interval
from report.study.record import Record


def table(records: Iterable[Record]) -> pd.DataFrame:
    """One row per run: its mode, all settings of its arm, seed, final error (%), diverged."""
    return pd.DataFrame([_row(record) for record in records])


def _row(record: Record) -> dict:
    diverged = record.diverged is not None
    error = 100 - comparisons.accuracy(record)
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


def outcomes(*rows: tuple[str, Interval | str, str, bool | None]) -> pd.DataFrame:
    """One row per comparison: what was found, what was predicted, and what became of that.

    Each is (what, found, predicted, held): `found` an interval in points, with held None, which
    `outcome` then says; or anything else, as text, with whether the prediction held.
    """
    return pd.DataFrame([_outcome(*row) for row in rows])


def _outcome(what: str, found: Interval | str, predicted: str, held: bool | None = None) -> dict:
    interval = isinstance(found, Interval)
    words = {True: "held", False: "failed"}
    return {
        "comparison": what,
        "found (95 % interval)": comparisons.estimate(found) if interval else found,
        "predicted": predicted,
        "prediction": outcome(predicted, found) if interval else words[held],
    }


def outcome(predicted: str, found: Interval) -> str:
    """Whether a prediction held, failed, or is not resolved by the interval.

    "higher" and "lower" may be "by more than 3"; "within 2" means the whole interval; "not
    resolved" fails where a difference was found.
    """
    side, _, points = predicted.partition(" by more than ")
    if side.startswith("within "):
        margin = float(side.removeprefix("within "))
        inside = max(-found.low, found.high) < margin
        return "held" if inside else _resolved(found.low > margin or found.high < -margin)
    least = float(points or 0)
    reach = {"higher": (found.low > least, found.high < least),
             "lower": (found.high < -least, found.low > -least),
             "not resolved": (found.low <= 0 <= found.high, True)}  # fmt: skip
    held, failed = reach[side]
    return "held" if held else _resolved(failed)


def _resolved(failed: bool) -> str:
    return "failed" if failed else "not resolved"


def means(records: Iterable[Record], setting: str) -> pd.DataFrame:
    """Mean errors in percent: one row per value of the setting, one column per mode."""
    return table(records).pivot_table(index=setting, columns="mode", values="error", sort=False)


def survived(records: Iterable[Record], setting: str) -> pd.Series:
    """The highest value of the setting, by mode, at which every seed's error is below 50 %."""
    worst = table(records).groupby(["mode", setting])["error"].max()
    return worst[worst < 50].reset_index().groupby("mode")[setting].max()
