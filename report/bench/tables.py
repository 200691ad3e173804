"""The measurements as tables."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import tensorflow as tf

from report.bench.contenders import SHORT
from report.bench.race import Result, fault
from report.bench.targets import Groups
from report.bench.torch_venv import PACKAGES
from report.study.provenance import environment


def of_races(groups: Groups, unit: str) -> list[dict]:
    """One row for each contender of each norm; `unit` is what took the milliseconds."""
    return [
        {
            "contender": result.contender.name,
            "norm": SHORT[norm],
            **_times(result, results[0], unit),
        }
        for norm, results in groups.items()
        for result in results
        if result.contender.norm == norm
    ]


def _times(result: Result, reference: Result, unit: str) -> dict:
    why, times = fault(result, reference), np.array(result.milliseconds)
    if result.missing:
        return {"note": why}
    return {
        f"median ms per {unit}": round(result.median, 2),
        "lowest": round(times.min(), 2),
        "highest": round(times.max(), 2),
        f"{unit}s per second": round(1000 / result.median, 1),
        "times ours": None if why else round(result.over(reference), 2),
        "n": result.steps,
        **_losses(result, reference),
        "note": why,
    }


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


def of_footprint(peaks: dict, imports: dict) -> list[dict]:
    """Peak memory by norm, import times by module."""
    return [
        {"what": f"peak memory, {SHORT[norm]}, epochs: {epochs}", "measured": round(gb, 3),
         "unit": "GB"} for norm, values in peaks.items() for epochs, gb in enumerate(values, 1)
    ] + [
        {"what": f"import of {module}", "measured": round(seconds, 3), "unit": "s"}
        for module, seconds in imports.items()
    ]  # fmt: skip


def of_scaling(rows: list[dict]) -> list[dict]:
    """The times of epochs, rounded."""
    return [{key: _rounded(value) for key, value in row.items()} for row in rows]


def _rounded(value):
    return float(f"{value:.4g}") if isinstance(value, float) else SHORT.get(value, value)


def of_environment(load: float, **counts) -> list[dict]:
    """What the times depend on besides the code."""
    found = environment(tf.__version__, os.cpu_count()) | {
        "PyTorch": PACKAGES[0],
        "memory (GB)": round(psutil.virtual_memory().total / 1e9),
        "load before": round(load, 2),
    }
    return [{"what": key, "value": value} for key, value in (found | counts).items()]


def write(tables: dict[str, list[dict]], folder: Path) -> list[Path]:
    """Write each table as benchmark-NAME.csv, the unnamed one as benchmark.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{'-'.join(filter(None, ['benchmark', name]))}.csv" for name in tables]
    for file, rows in zip(files, tables.values(), strict=True):
        pd.DataFrame(rows).to_csv(file, index=False)
    return files
