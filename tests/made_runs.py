"""Made records, and made runs of the arms in the book of claims, whose verdicts are known."""

from hashlib import sha256

import numpy as np

from normlib.arm import Arm
from report.study import archive
from report.study.claims.book import ARMS, LAST


def record(seed=0, **changes):
    rng = np.random.default_rng(seed)
    arm = changes.get("arm", Arm("layer", placement="hidden", epochs=2))

    def epochs(first, last):
        return [first] * (arm.epochs - 1) + [last]

    values = {
        "arm": arm,
        "seed": seed,
        "protocol": 1,
        "train_loss": epochs(1.25, 0.1 + 0.2),
        "train_accuracy": epochs(0.5, 0.75),
        "test_loss": epochs(1.5, 1 / 3),
        "test_accuracy": epochs(0.6, 0.7),
        "loss_every_10": rng.random(7).tolist(),
        "predictions": rng.integers(0, 10, 1001).astype(np.uint8),
        "diverged": None,
        "seconds": 12.5,
        "sources": "0123",
        "environment": {"cpu": "a cpu", "threads": 1},
    }
    return archive.Record(**(values | changes))


def made(name, seed, accuracy=0.88, **changes):
    """The record of an arm with this seed: four epochs that end in this accuracy."""
    loss = 0.4 + np.random.default_rng([seed, list(ARMS).index(name)]).normal(0, 1e-3)
    values = {
        "train_loss": [loss + 0.1, loss, loss, loss - 0.1],
        "train_accuracy": [0.8, 0.85, 0.86, 0.47 + loss],
        "test_accuracy": [0.5, 0.6, 0.7, accuracy],
        "seconds": 100 * loss,
    }
    return record(seed, arm=ARMS[name], **(values | changes))


def runs(seeds=LAST, **columns):
    """Records by (arm, seed) of arms whose accuracies, one a seed, are given by name."""
    rows = [
        made(name, seed, accuracy)
        for name, values in columns.items()
        for seed, accuracy in zip(seeds, np.broadcast_to(values, len(seeds)), strict=True)
    ]
    return {r.key: r for r in rows}


def noise(seed, mean=0.88, sd=0.003):
    return np.random.default_rng(seed).normal(mean, sd, len(LAST))


def each(one):
    """A function of arms and a seed as what trains each of many seeds: see `worker.run_each`."""

    def run_each(arms, seeds, progress, keep):
        for seed in seeds:
            keep(one(arms, seed))

    return run_each


def list_checksums(folder=archive.COMMITTED):
    """The text of the list of those lines in the folder that carry no checksum."""
    lines = [
        line
        for file in sorted(folder.glob("*.jsonl"))
        for line in file.read_bytes().split(b"\n")[:-1]
    ]
    old = [line for line in lines if archive.MARK not in line]
    return "".join(f"{sha256(line).hexdigest()[:16]}\n" for line in old)
