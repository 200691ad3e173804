"""Measurements of ours in fresh processes: memory, imports, parts, growth with batches and images.

Peak memory never falls again and an import happens once, so neither can share a process.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from normlib import data, train
from normlib.arm import Arm
from normlib.data import Dataset
from report.bench import parts
from report.bench.ours import set_threads
from report.bench.problem import SEED

ROOT = Path(__file__).parents[2]
BATCH_SIZES = (1, 4, 16, 64, 100, 256, 1024)
SIZES = (1000, 2000, 4000, 15000, 60000)
LEAST_STEPS, LEAST_IMAGES = 20, 15000  # of a batch size and of a number of images: about a second
IMPORT = """import sys, time, tensorflow, keras
keras.layers, tensorflow.raw_ops  # TensorFlow loads these when they are first used
begin = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - begin)"""


def import_seconds(module: str) -> float:
    """Seconds that importing the module takes where TensorFlow and Keras are there already."""
    return float(_printed([sys.executable, "-c", IMPORT, module]))


def measure(what: str, *norm: str) -> list | dict:
    """What `memory` or `scaling` returns for a norm, or `parts.of_steps`, in a fresh process."""
    return json.loads(_printed([sys.executable, "-m", "report.bench.alone", what, *norm]))


def _printed(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, check=True)
    return done.stdout.splitlines()[-1]


def memory(norm: str) -> list[float]:
    """Peak memory in GB of a run as sweeps do it, after one epoch and after two."""
    set_threads(1)
    peaks: dict[int, float] = {}

    def progress(done: int, steps: int, epoch: int, accuracy: float) -> None:
        peaks.setdefault(epoch, peak())  # when the epochs before are trained and scored

    train.run(Arm(norm, epochs=2, profile=data.profile()), SEED, progress)
    return [peaks[2], peak()]


def peak() -> float:
    """This process's peak memory so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def scaling(norm: str) -> list[dict]:
    """Seconds of an epoch at each batch size, and at each number of images."""
    images = data.load(data.profile())
    sizes = [size for size in SIZES if size <= len(images.train_labels)]
    epochs = [epoch(Arm(norm), images, size, max(3, LEAST_IMAGES // size)) for size in sizes]
    arms = [Arm(norm, batch_size=size) for size in BATCH_SIZES]
    batches = [epoch(arm, images, LEAST_STEPS * max(arm.batch_size, 10), 3) for arm in arms]
    varied = ["batch size"] * len(batches) + ["images"] * len(epochs)
    return [{"varied": v} | row for v, row in zip(varied, batches + epochs, strict=True)]


def epoch(arm: Arm, images: Dataset, size: int, epochs: int) -> dict:
    """The time of one epoch on the first `size` images: the median of so many, after one more."""
    images = images._replace(**{k: getattr(images, k)[:size] for k in Dataset._fields[:2]})
    trainer = train.Trainer(arm, SEED, images)
    begins = []
    for number in range(1, epochs + 2):
        losses, _ = trainer.train(number)
        begins.append(time.perf_counter())
    seconds = statistics.median(after - before for before, after in pairwise(begins))
    return {
        "norm": arm.norm, "batch size": arm.batch_size, "images": len(losses) * arm.batch_size,
        "seconds per epoch": seconds, "ms per step": 1000 * seconds / len(losses),
        "µs per image": 1e6 * seconds / len(losses) / arm.batch_size,
    }  # fmt: skip


def main() -> None:
    what, *norm = sys.argv[1:]
    print(json.dumps({"memory": memory, "scaling": scaling, "parts": parts.of_steps}[what](*norm)))


if __name__ == "__main__":
    main()
