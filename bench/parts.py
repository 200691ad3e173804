"""What each part of a training step costs: every layer alone, forward and backward, one thread."""

import statistics
import time
from collections.abc import Callable

import tensorflow as tf

from bench.ours import set_threads
from bench.problem import SEED
from normlib import data, train
from normlib.arms import Arm

REPEATS, BLOCKS = 20, 7  # of a layer in a block; the median block counts
ARMS = {
    "none": Arm(),
    "WN": Arm("weight"),
    "BN, folded": Arm("batch", implementation="folded"),
    "BN": Arm("batch"),
    "LN": Arm("layer"),
}
OF_LAYER = {
    "Conv2D": "convolution",
    "ConvolutionBatchNorm": "convolution",
    "Dense": "dense layers",
    "BatchNormalization": "norm",
    "LayerNormalization": "norm",
}


def of_step(name: str) -> dict[str, float]:
    """Milliseconds of every part of an arm's step; "rest" is what the whole step takes besides."""
    set_threads(1)
    arm, images = ARMS[name], data.load(data.profile())
    trainer = train.Trainer(arm, SEED, images)
    found = dict.fromkeys(("convolution", "dense layers", "pooling", "norm"), 0.0)
    first, x = trainer.model.layers[0], trainer.images.train_images[: arm.batch_size]
    for layer in trainer.model.layers:
        part = OF_LAYER.get(type(getattr(layer, "layer", layer)).__name__, "pooling")  # and ReLU
        found[part] += _milliseconds(_passes(layer, layer is not first), x)
        x = layer(x, training=True)
    batches = tf.reshape(tf.range(REPEATS * arm.batch_size), [REPEATS, -1])
    step = _median(lambda: trainer.steps(batches % len(images.train_labels)))
    return found | {"rest": step - sum(found.values())}


def rows(found: dict[str, dict[str, float]]) -> list[dict]:
    """A row a part of an arm. What WN and folded BN add to the layers that hold them is the norm.

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


def _milliseconds(work: Callable, x: tf.Tensor) -> float:
    @tf.function
    def block(x):
        total = 0.0
        for _ in tf.range(REPEATS):
            for result in work(x):
                total += tf.reshape(result, [-1])[0]  # else it is not computed
        return total

    return _median(lambda: block(x))


def _median(block: Callable) -> float:
    times = []
    for _ in range(BLOCKS + 1):
        begin = time.perf_counter()
        tf.nest.map_structure(lambda t: t.numpy(), block())
        times.append(1000 * (time.perf_counter() - begin) / REPEATS)
    return statistics.median(times[1:])
