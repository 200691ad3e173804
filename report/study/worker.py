"""Runs of an arm in a process of their own, on one thread: nothing else can touch their numbers."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from normlib.arm import Arm
from report.study import json_lines
from report.study.progress import State
from report.study.record import Record, decode

ROOT = str(Path(__file__).parents[2])
RUNNING: set[subprocess.Popen] = set()


class RunFailed(RuntimeError):
    """A run's process ended without a record."""


def run(arms: Sequence[Arm], seed: int) -> list[Record]:
    """Train once, in a fresh process, arms that differ in `evaluation` alone; a record of each."""
    kept: list[Record] = []
    run_each(arms, [seed], lambda _: None, kept.extend)
    return kept


def run_each(
    arms: Sequence[Arm],
    seeds: Sequence[int],
    progress: Callable[[State], None],
    keep: Callable[[list[Record]], None],
) -> None:
    """Train the arms with one seed after another in one fresh process; `keep` the records of each.

    The arms differ in `evaluation` alone and are trained once. Starting TensorFlow and compiling
    take longer than a short run; the numbers are those of a process for each. Raises RunFailed with
    the end of what the process printed; the records of the seeds before are kept.
    """
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    job = json.dumps([[*map(asdict, arms)], [*seeds]])
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "report.study.recording", job], stdout=subprocess.PIPE,
            stderr=errors, encoding="utf-8", env=os.environ | {"PYTHONPATH": path},
        ) as process,
    ):  # fmt: skip
        RUNNING.add(process)
        try:
            done = _read(process.stdout, progress, keep)
        finally:
            RUNNING.discard(process)
        if process.wait() or done < len(seeds):
            errors.seek(0)
            raise RunFailed(
                f"{arms[0].label}, seed {seeds[done]}: its process ended with code "
                f"{process.returncode}. {errors.read()[-2000:]}"
            )


def _read(lines, progress: Callable[[State], None], keep: Callable[[list[Record]], None]) -> int:
    """Pass on what the process says, and return of how many seeds it sent the records."""
    done = 0
    for kind, value in json_lines.received(lines):
        if kind == "state":
            progress(State(**value))
        elif kind == "said":
            print(value, flush=True)
        else:
            keep([decode(record) for record in value])
            done += 1
    return done


def stop() -> None:
    """End the processes that this one has running."""
    for process in list(RUNNING):
        process.kill()
