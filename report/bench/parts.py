"""What a training step is made of, on one thread: its parts without a norm, and what a norm adds.

Everything takes turns, so that a machine that gets slower slows all of it alike.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import keras
import pandas as pd
import tensorflow as tf

from normlib import data, train
from normlib.arithmetic import xla
from normlib.arm import Arm
from report.bench.ours import set_threads
from report.bench.problem import SEED

REPEATS, BLOCKS = 20, 15  # of a step in a block; the median block counts
PARTS = ("convolution", "dense layers", "pooling", "momentum", "norm", "rest")
PRODUCTS = PARTS[:2]  # of matrices, in every arm the same


def of_steps(arms: dict[str, Arm]) -> dict[str, dict[str, float]]:
    """Milliseconds of the parts of each arm's step.

    Convolution, dense layers, pooling and momentum are measured alone, as the plain arm has them
    without a norm; "norm" is what the step takes longer than without one, plain or free, and "rest"
    what is left.
    """
    set_threads(1)
    blocks = [*_parts(train.Trainer(arms["none"], SEED, data.load(data.profile())))]
    blocks += [(name, _steps(arm)) for name, arm in arms.items()]
    times = [[_milliseconds(run) for _, run in blocks] for _ in range(BLOCKS + 1)]
    medians = pd.DataFrame(times[1:]).median()  # the first one compiles
    found = pd.Series(medians.to_numpy(), [name for name, _ in blocks]).groupby(level=0).sum()
    return {name: _divided(name, found.to_dict()) for name in arms}


def _divided(name: str, found: dict[str, float]) -> dict[str, float]:
    parts = {part: found[part] for part in PARTS[:-2]}
    parts["norm"] = found[name] - found["none, free" if name.endswith("free") else "none"]
    return parts | {"rest": found[name] - sum(parts.values())}


def rows(found: dict[str, dict[str, float]]) -> list[dict]:
    """One row per part of an arm."""
    return [
        {"arm": arm, "part": part, "ms": round(ms, 2)}
        for arm, parts in found.items()
        for part, ms in parts.items()
    ]


def _steps(arm: Arm) -> Callable:
    """Trains REPEATS steps."""
    trainer = train.Trainer(arm, SEED, data.load(data.profile()))
    images = len(trainer.images.train_labels)
    batches = tf.reshape(tf.range(REPEATS * arm.batch_size), [REPEATS, -1]) % images
    rates = tf.fill([REPEATS], arm.learning_rate)
    return lambda: trainer.steps(batches, rates)  # which keeps the trainer, as partial does not


def _parts(trainer: train.Trainer) -> Iterator[tuple[str, Callable]]:
    """What does each part of a step REPEATS times."""
    first, x = trainer.model.layers[0], trainer.images.train_images[: trainer.arm.batch_size]
    for layer in trainer.model.layers:
        part = {keras.layers.Conv2D: "convolution", keras.layers.Dense: "dense layers"}
        yield part.get(type(layer), "pooling"), _block(_passes(layer, layer is not first), x)
        x = layer(x, training=True)
    yield "momentum", _block(_momentum(trainer), x)


def _passes(layer: keras.layers.Layer, needs_dx: bool) -> Callable:
    def passes(x):
        wanted = [*([x] if needs_dx else []), *(v.value for v in layer.trainable_variables)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return [y, *tape.gradient(y, wanted, y)]

    return passes


def _momentum(trainer: train.Trainer) -> Callable:
    gradients = [tf.zeros_like(variable) for variable in trainer.variables]

    def step(x):
        for variable, accumulator, gradient in zip(
            trainer.variables, trainer.accumulators, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle, accum=accumulator.handle, lr=0.0, grad=gradient, momentum=0.9
            )
        return [x]

    return step


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
