"""One run in a process of its own, on one thread: nothing before it can touch its numbers.

`python -m normlib.worker` reads an arm and a seed as JSON and prints lines of JSON: the states of
the run, and at the end its record. Apart from `sweep.py`, so that any machine can do it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf

from normlib import archive, train
from normlib.archive import Record
from normlib.arms import Arm
from normlib.progress import State

ROOT = str(Path(__file__).parents[1])
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
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "normlib.worker", json.dumps([[*map(asdict, arms)], seed])],
            stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | {"PYTHONPATH": path},
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
    for line in filter(_whole, lines):
        kind, values = json.loads(line)
        if kind == "state":
            progress(State(**values))
        else:
            records.append(archive.decode(values))
    return records


def _whole(line: str) -> bool:
    return line.endswith("\n")  # else the process ended while it wrote


def stop() -> None:
    """End the processes that this one has running."""
    for process in list(RUNNING):
        process.kill()


def main() -> None:
    output = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not the protocol's
    values, seed = json.loads(sys.argv[1])
    arms = [Arm(**settings) for settings in values]
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def progress(done: int, total: int, epoch: int, accuracy: float) -> None:
        state = State(f"{arms[0].label}, seed {seed}", done, total, epoch, arms[0].epochs, accuracy)
        print(json.dumps(["state", asdict(state)]), file=output)

    for record in train.runs(arms, seed, progress):
        print(json.dumps(["record", archive.encode(record)]), file=output)


if __name__ == "__main__":
    main()
