"""The measurements as tables."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import tensorflow as tf

from report.bench.contenders import PLAIN
from report.bench.race import Groups, Result, fault
from report.bench.targets import fastest_peer, named
from report.study.provenance import environment


def of_race(groups: Groups, unit: str) -> list[dict]:
    """One row for each contender of each norm; `unit` is what took the milliseconds."""
    none = named(groups["none"], PLAIN)
    return [
        {"contender": result.contender.name, "norm": norm}
        | _times(result, results[0], fastest_peer(results), none, unit)
        for norm, results in groups.items()
        for result in results
    ]


def _times(result: Result, reference: Result, peer: Result | None, none: Result, unit: str) -> dict:
    """Ratios are medians over the rounds, each within one round."""
    if result.missing:
        return {"note": fault(result, reference)}
    why, times = fault(result, reference), np.array(result.milliseconds)
    ratios = {"times ours": reference, "times the fastest peer": peer, "times no norm": none}
    return {
        f"median ms per {unit}": round(result.median, 2),
        "lowest": round(times.min(), 2),
        "highest": round(times.max(), 2),
        **{
            name: None if why or other is None or other.missing
            else round(float(np.median(result.over(other))), 2) for name, other in ratios.items()
        },
        **_losses(result, reference),
        "note": why,
    }  # fmt: skip


def _losses(result: Result, reference: Result) -> dict:
    """Mean losses of both, over the steps that both trained from the same start."""
    if reference.missing:
        return {}
    steps = len(result.losses[0])
    blocks = {"first": 0} | ({"last": -1} if steps == len(reference.losses[0]) else {})
    row = {}
    for name, block in blocks.items():
        own, ours = (round(np.mean(r.losses[block][:steps]), 4) for r in (result, reference))
        row |= {f"loss, {name} block": own, f"loss of ours, {name} block": ours}
    return row


def of_memory(peaks: dict[str, list[float]]) -> list[dict]:
    """Peak memory by arm, after one epoch and after two."""
    return [
        {"what": f"peak memory, {arm}, epochs: {epochs}", "measured": round(gb, 3), "unit": "GB"}
        for arm, values in peaks.items()
        for epochs, gb in enumerate(values, 1)
    ]


def of_scaling(rows: list[dict]) -> list[dict]:
    """The times of epochs, rounded."""
    return [{key: _rounded(value) for key, value in row.items()} for row in rows]


def _rounded(value):
    return float(f"{value:.4g}") if isinstance(value, float) else value


def of_environment(load: float, **counts) -> list[dict]:
    """What the times depend on besides the code."""
    found = environment(tf.__version__, os.cpu_count()) | {
        "memory (GB)": round(psutil.virtual_memory().total / 1e9),
        "load before": round(load, 2),
    }
    return [{"what": key, "value": value} for key, value in (found | counts).items()]


def write(tables: dict[str, list[dict]], folder: Path) -> list[Path]:
    """Write each table as benchmark-NAME.csv, the unnamed one as benchmark.csv, and no other."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("benchmark*.csv"):
        old.unlink()
    files = [folder / f"{'-'.join(filter(None, ['benchmark', name]))}.csv" for name in tables]
    for file, rows in zip(files, tables.values(), strict=True):
        pd.DataFrame(rows).to_csv(file, index=False)
    return files
