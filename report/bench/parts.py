"""What each part of a training step costs: every layer alone, forward and backward, one thread.

The parts take turns, so that a machine that gets slower slows them all alike.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd
import tensorflow as tf

from normlib import data, train
from normlib.arithmetic import xla
from normlib.arm import Arm
from report.bench.ours import set_threads
from report.bench.problem import SEED

REPEATS, BLOCKS = 20, 15  # of a layer in a block; the median block counts
ARMS = {
    "none": Arm(),
    "WN": Arm("weight"),
    "BN, folded": Arm("batch", implementation="folded"),
    "BN": Arm("batch"),
    "LN": Arm("layer"),
}
PARTS = ("convolution", "dense layers", "pooling", "norm", "rest")
OF_LAYER = {
    "Conv2D": "convolution",
    "ConvolutionBatchNorm": "convolution",
    "Dense": "dense layers",
    "BatchNormalization": "norm",
    "LayerNormalization": "norm",
}


def of_steps() -> dict[str, dict[str, float]]:
    """Milliseconds of every part of each arm's step; "rest": what the whole step takes besides."""
    set_threads(1)
    blocks = [(name, *block) for name in ARMS for block in _blocks(ARMS[name])]
    times = [[_milliseconds(run) for *_, run in blocks] for _ in range(BLOCKS + 1)]
    medians = pd.DataFrame(times[1:]).median()  # the first one compiles
    found = {name: dict.fromkeys(PARTS, 0.0) for name in ARMS}
    for (name, part, _), ms in zip(blocks, medians, strict=True):
        found[name][part] += ms
    for parts in found.values():
        parts["rest"] -= sum(parts[part] for part in PARTS[:-1])
    return found


def _blocks(arm: Arm) -> Iterator[tuple[str, Callable]]:
    """What does each part of a step REPEATS times, and, as "rest", the whole step."""
    trainer = train.Trainer(arm, SEED, data.load(data.profile()))
    first, x = trainer.model.layers[0], trainer.images.train_images[: arm.batch_size]
    for layer in trainer.model.layers:
        part = OF_LAYER.get(type(getattr(layer, "layer", layer)).__name__, "pooling")  # and ReLU
        yield part, _block(_passes(layer, layer is not first), x)
        x = layer(x, training=True)
    images = len(trainer.images.train_labels)
    batches = tf.reshape(tf.range(REPEATS * arm.batch_size), [REPEATS, -1]) % images
    rates = tf.fill([REPEATS], arm.learning_rate)
    yield (
        "rest",
        lambda: trainer.steps(batches, rates),
    )  # which keeps the trainer, as partial does not


def rows(found: dict[str, dict[str, float]]) -> list[dict]:
    """One row per part of an arm; what WN and folded BN add to the layers that hold them is norm.

    So convolution and dense layers are none's in their rows.
    """
    for name in ("WN", "BN, folded"):
        for part in ("convolution", "dense layers"):
            found[name]["norm"] += found[name][part] - found["none"][part]
            found[name][part] = found["none"][part]
    return [
        {"arm": arm, "part": part, "ms": round(ms, 2)}
        for arm, parts in found.items()
        for part, ms in parts.items()
    ]


def _passes(layer, needs_dx: bool) -> Callable:
    def passes(x):
        wanted = [*([x] if needs_dx else []), *(v.value for v in layer.trainable_variables)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return [y, *tape.gradient(y, wanted, y)]

    return passes


def _block(work: Callable, x: tf.Tensor) -> Callable:
    @tf.function
    def block(x):
        total = 0.0
        with xla():
            for _ in tf.range(REPEATS):
                for result in work(x):
                    total += tf.reshape(result, [-1])[0]  # else it is not computed
        return total

    return partial(block, x)


def _milliseconds(block: Callable) -> float:
    """Of one of its REPEATS."""
    begin = time.perf_counter()
    tf.nest.map_structure(lambda t: t.numpy(), block())
    return 1000 * (time.perf_counter() - begin) / REPEATS
