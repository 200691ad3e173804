"""What a contender shares with the others: where it starts, what it trains on, how it is asked.

NumPy and the standard library only, since the contenders' environments differ.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from report.study.json_lines import taking_stdout

BATCH_SIZE = 100
LEARNING_RATE, MOMENTUM = 0.01, 0.9
EPSILON, OLD_SHARE = 1e-5, 0.9  # of the norms, and of BN's moving statistics


class Problem(NamedTuple):
    """Images float32 (N, 28, 28, 1); labels int32 (N,); order int (blocks, N); initial weights.

    A block is one pass over the images, in the block's order, in minibatches of 100. Weights as
    Keras lays them out: kernel (5, 5, 1, 30), (5880, 100) from (H, W, C), (100, 10), biases.
    """

    images: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    conv: np.ndarray
    conv_bias: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    def minibatches(self, block: int) -> np.ndarray:
        """The images of each step of a block, (steps, 100)."""
        order = self.order[block]
        return order[: len(order) // BATCH_SIZE * BATCH_SIZE].reshape(-1, BATCH_SIZE)


def load(path: str) -> Problem:
    """The problem that was saved there."""
    with np.load(path) as saved:
        return Problem(**saved)


Losses = Iterable[float]
Train = Callable[[int], tuple[float, Losses]]
Make = Callable[[str], Train]  # what trains blocks of a norm, by its name


def timed(train: Callable[[int], Losses]) -> Train:
    """The same, returning the seconds that a block took and its losses."""

    def measured(block: int) -> tuple[float, Losses]:
        begin = time.perf_counter()
        losses = [float(loss) for loss in train(block)]  # read: a loss that is not has no time
        return time.perf_counter() - begin, losses

    return measured


def serve(build: Callable[[dict, Problem], Make]) -> None:
    """Train a block of the norm on every line of stdin; print its seconds and every step's loss.

    A norm's network is made when its name first comes, and goes on from block to block.
    """
    send = taking_stdout()
    spec = json.loads(sys.argv[1])
    make = build(spec, load(spec["problem"]))
    train: dict[str, Iterator] = {}
    for norm in map(str.strip, sys.stdin):
        if norm not in train:
            train[norm] = map(make(norm), itertools.count())
        seconds, losses = next(train[norm])
        send([seconds, list(losses)])
