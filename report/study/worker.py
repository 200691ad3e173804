"""One run in a process of its own, on one thread: nothing before it can touch its numbers."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from normlib.arm import Arm
from report.study import archive, json_lines
from report.study.archive import Record
from report.study.progress import State

ROOT = str(Path(__file__).parents[2])
RUNNING: set[subprocess.Popen] = set()


class RunFailed(RuntimeError):
    """A run's process ended without a record."""


def run(
    arms: Sequence[Arm], seed: int, progress: Callable[[State], None] = lambda _: None
) -> list[Record]:
    """Train once, in a fresh process, arms that differ in `evaluation` alone; a record of each.

    Raises RunFailed with the end of what the process printed.
    """
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    job = json.dumps([[*map(asdict, arms)], seed])
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "report.study.recording", job], stdout=subprocess.PIPE,
            stderr=errors, encoding="utf-8", env=os.environ | {"PYTHONPATH": path},
        ) as process,
    ):  # fmt: skip
        RUNNING.add(process)
        try:
            records = _read(process.stdout, progress)
        finally:
            RUNNING.discard(process)
        if process.wait() or len(records) < len(arms):
            errors.seek(0)
            raise RunFailed(
                f"{arms[0].label}, seed {seed}: its process ended with code {process.returncode}. "
                f"{errors.read()[-2000:]}"
            )
    return records


def _read(lines, progress: Callable[[State], None]) -> list[Record]:
    records = []
    for kind, value in json_lines.received(lines):
        if kind == "state":
            progress(State(**value))
        elif kind == "said":
            print(value, flush=True)
        else:
            records.append(archive.decode(value))
    return records


def stop() -> None:
    """End the processes that this one has running."""
    for process in list(RUNNING):
        process.kill()
