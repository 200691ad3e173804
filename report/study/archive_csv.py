"""The archive as two plain tables: one row per run, and one row per epoch of each run.

report/README.md says what each column means.
"""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from report.study import archive
from report.study.record import Record

CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
KEY = ["arm", "seed"]  # what joins the tables, and orders both


def write(folder: Path, runs_folder: Path) -> None:
    """Write runs.csv and epochs.csv of the archive in `runs_folder`, every float in full."""
    records = list(archive.read([runs_folder]).values())
    if records:
        folder.mkdir(parents=True, exist_ok=True)
        runs(records).to_csv(folder / "runs.csv", index=False)
        epochs(records).to_csv(folder / "epochs.csv", index=False)


def runs(records: Iterable[Record]) -> pd.DataFrame:
    """One row per run: its arm's settings, its results, its environment; no results if it diverged.

    Accuracies as fractions, losses in nats: as in the archive, so that no digit is lost.
    """
    frame = pd.DataFrame([_run(record) for record in records])
    return frame.astype({"diverged": "Int64"}).sort_values(KEY, ignore_index=True)


def _run(record: Record) -> dict:
    settings = asdict(record.arm)
    del settings["source"]  # of norms of one's own, which are never archived
    whole = record.diverged is None
    return {
        "arm": archive.name(record.arm),
        "label": record.arm.label,
        "seed": record.seed,
        "protocol": record.protocol,
        **{name: getattr(record, name)[-1] if whole else np.nan for name in reversed(CURVES)},
        "mean_train_loss": np.mean(record.train_loss) if whole else np.nan,
        "diverged": record.diverged,
        "seconds": record.seconds,
        **settings,
        "sources": record.sources,
        **record.environment,
    }


def epochs(records: Iterable[Record]) -> pd.DataFrame:
    """One row per epoch of each run; of a run that diverged, the epochs before."""
    frame = pd.DataFrame([row for record in records for row in _epochs(record)])
    return frame.sort_values([*KEY, "epoch"], ignore_index=True)


def _epochs(record: Record) -> list[dict]:
    curves = zip(*(getattr(record, name) for name in CURVES), strict=True)
    return [
        {"arm": archive.name(record.arm), "seed": record.seed, "epoch": epoch}
        | dict(zip(CURVES, values, strict=True))
        for epoch, values in enumerate(curves, 1)
    ]


if __name__ == "__main__":
    write(archive.ROOT / "tables", archive.COMMITTED)
