"""Makes what all contenders start from: our initial weights, our images, our batch order."""

from pathlib import Path

import numpy as np

from normlib import data, model
from normlib.arm import Arm
from report.bench.protocol import BATCH_SIZE, Problem

SEED = 0


def make(steps: int, blocks: int) -> Problem:
    """So many blocks of so many steps, on the first images of the profile's training set."""
    images, size = data.load(data.profile()), steps * BATCH_SIZE
    own = images.train_images[:size], images.train_labels[:size]
    order = [data.batch_order(SEED, epoch + 1, size) for epoch in range(blocks)]
    weights = (variable.numpy() for variable in model.build(Arm(), SEED).trainable_variables)
    return Problem(*own, np.stack(order), *weights)


def save(problem: Problem, path: Path) -> None:
    """Write the problem where `protocol.load` reads it."""
    np.savez(path, **problem._asdict())
