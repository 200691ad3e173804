"""One run in a process of its own, on one thread: nothing before it can touch its numbers.

`python -m normlib.worker` reads an arm and a seed as JSON and prints lines of JSON: the states of
the run, and at the end its record. Apart from `sweep.py`, so that any machine can do it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
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


def run(arm: Arm, seed: int, progress: Callable[[State], None] = lambda _: None) -> Record:
    """Train one run in a fresh process; raises RunFailed with the end of what it printed."""
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "normlib.worker", json.dumps([asdict(arm), seed])],
            stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | {"PYTHONPATH": path},
        ) as process,
    ):  # fmt: skip
        RUNNING.add(process)
        try:
            values = _read(process.stdout, progress)
        finally:
            RUNNING.discard(process)
        if process.wait() or values is None:
            errors.seek(0)
            raise RunFailed(
                f"{arm.label}, seed {seed}: its process ended with code {process.returncode}. "
                f"{errors.read()[-2000:]}"
            )
    return archive.decode(values)


def _read(lines, progress: Callable[[State], None]) -> dict | None:
    record = None
    for line in lines:
        kind, values = json.loads(line)
        if kind == "state":
            progress(State(**values))
        else:
            record = values
    return record


def stop() -> None:
    """End the processes that this one has running."""
    for process in list(RUNNING):
        process.kill()


def main() -> None:
    output = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not the protocol's
    values, seed = json.loads(sys.argv[1])
    arm = Arm(**values)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def progress(done: int, total: int, epoch: int, accuracy: float) -> None:
        state = State(f"{arm.label}, seed {seed}", done, total, epoch, arm.epochs, accuracy)
        print(json.dumps(["state", asdict(state)]), file=output)

    record = train.run(arm, seed, progress)
    print(json.dumps(["record", archive.encode(record)]), file=output)


if __name__ == "__main__":
    main()
