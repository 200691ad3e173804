"""Measurements of ours in fresh processes: memory, parts, growth with batches and images.

Peak memory never falls again, so that it cannot share a process.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from normlib import data, train
from normlib.arm import Arm
from normlib.data import Dataset
from report.bench import parts
from report.bench.contenders import ARMS
from report.bench.ours import set_threads
from report.bench.problem import SEED
from report.study import recording

ROOT = Path(__file__).parents[2]
BOTH = {  # ours, plain and free, by the names of the tables
    f"{norm}{', free' * (implementation == 'free')}": replace(arm, implementation=implementation)
    for norm, arm in ARMS.items() for implementation in ("ours", "free")
}  # fmt: skip
SCALED = ("none, free", "BN", "BN, free", "LN", "LN, free")
BATCH_SIZES = (1, 4, 16, 64, 100, 256, 1024)
SIZES = (1000, 2000, 4000, 15000, 60000)
LEAST_STEPS, LEAST_IMAGES = 20, 15000  # of a batch size and of a number of images: about a second


def measure(what: str, *arm: str) -> list | dict:
    """What `memory` or `scaling` returns for an arm, or `parts.of_steps`, in a fresh process."""
    command = [sys.executable, "-m", "report.bench.alone", what, *arm]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=ROOT, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def memory(name: str) -> list[float]:
    """Peak memory in GB of a run as sweeps do it, after one epoch and after two."""
    set_threads(1)
    peaks: dict[int, float] = {}

    def progress(done: int, steps: int, epoch: int, accuracy: float) -> None:
        peaks.setdefault(epoch, peak())  # when the epochs before are trained and scored

    recording.run(replace(BOTH[name], epochs=2, profile=data.profile()), SEED, progress)
    return [peaks[2], peak()]


def peak() -> float:
    """This process's peak memory so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def scaling(name: str) -> list[dict]:
    """Seconds of an epoch at each batch size, and at each number of images."""
    images, arm = data.load(data.profile()), BOTH[name]
    sizes = [size for size in SIZES if size <= len(images.train_labels)]
    epochs = [epoch(arm, images, size, max(3, LEAST_IMAGES // size)) for size in sizes]
    batches = [
        epoch(replace(arm, batch_size=size), images, LEAST_STEPS * max(size, 10), 3)
        for size in BATCH_SIZES
    ]
    varied = ["batch size"] * len(batches) + ["images"] * len(epochs)
    return [
        {"varied": v, "norm": name} | row for v, row in zip(varied, batches + epochs, strict=True)
    ]


def epoch(arm: Arm, images: Dataset, size: int, epochs: int) -> dict:
    """The time of one epoch on the first `size` images: the median of so many, after one more."""
    images = images._replace(**{k: getattr(images, k)[:size] for k in Dataset._fields[:2]})
    trainer = train.Trainer(replace(arm, epochs=epochs + 1), SEED, images)
    begins = []
    for number in range(1, epochs + 2):
        losses, _ = trainer.train(number)
        begins.append(time.perf_counter())
    seconds = statistics.median(after - before for before, after in pairwise(begins))
    return {
        "batch size": arm.batch_size, "images": len(losses) * arm.batch_size,
        "seconds per epoch": seconds, "ms per step": 1000 * seconds / len(losses),
        "µs per image": 1e6 * seconds / len(losses) / arm.batch_size,
    }  # fmt: skip


def main() -> None:
    what, *arm = sys.argv[1:]
    measured = {"memory": memory, "scaling": scaling, "parts": lambda: parts.of_steps(BOTH)}
    print(json.dumps(measured[what](*arm)))


if __name__ == "__main__":
    main()
