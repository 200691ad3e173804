"""The lab's convolutional network for an arm."""

import keras
import numpy as np

from normlib import kernels, layers, own, variants
from normlib.arms import Arm

EPSILON = 1e-5  # the published script's, as is the next
MOMENTUM = 0.9  # of the moving statistics
INPUT_SHAPE, CLASSES = (28, 28, 1), 10

# Each kernel draws its weights from its own seed, at most 9 beyond this multiple of the run's.
SEEDS_A_RUN = 10


def build(arm: Arm, seed: int) -> keras.Sequential:
    """Return the arm's network, images (N, 28, 28, 1) to logits (N, 10), weights drawn from `seed`.

    conv 5x5x30 SAME, [norm], 2x2 max-pool, ReLU, dense 100, [norm], ReLU, dense 10

    Pooling before ReLU is the same function with the same gradient, and leaves ReLU a quarter of
    the elements. The same seed gives the same initial weights in every arm of one `init`.
    Source: the published report, section 1.2.
    """
    model = keras.Sequential([
        keras.Input(INPUT_SHAPE),
        *_first_block(arm, seed),
        *(layer for block in range(1, arm.blocks) for layer in _further_block(arm, seed, block)),
        keras.layers.Flatten(),
        _weights(arm, keras.layers.Dense(100, **draw(arm, seed, 1))),
        *_norm_and_relu(arm, "hidden"),
        _weights(arm, keras.layers.Dense(CLASSES, **draw(arm, seed, 2))),
    ])  # fmt: skip
    _move_one_weight(model.trainable_variables[0], arm.ulps)
    return model


def _first_block(arm: Arm, seed: int) -> list[keras.layers.Layer]:
    options = {"filters": 30, "kernel_size": 5, "padding": "same"} | draw(arm, seed, 0)
    if arm.implementation == "folded":
        folded = kernels.ConvolutionBatchNorm(momentum=MOMENTUM, epsilon=EPSILON, **options)
        return [folded, keras.layers.MaxPooling2D(), keras.layers.ReLU()]
    convolution = _weights(arm, keras.layers.Conv2D(**options))
    if arm.relu == "before":
        return [convolution, keras.layers.ReLU(), *_norm(arm, "conv"), keras.layers.MaxPooling2D()]
    return [convolution, *_norm(arm, "conv"), keras.layers.MaxPooling2D(), keras.layers.ReLU()]


def _further_block(arm: Arm, seed: int, block: int) -> list[keras.layers.Layer]:
    options = {"filters": 30, "kernel_size": 3, "padding": "same"} | draw(arm, seed, 2 + block)
    return [_weights(arm, keras.layers.Conv2D(**options)), *_norm_and_relu(arm, "conv")]


def _move_one_weight(kernel: keras.Variable, ulps: int) -> None:
    values = kernel.numpy()
    values.flat[0] += ulps * np.spacing(values.flat[0])
    kernel.assign(values)


def draw(arm: Arm, seed: int, kernel: int) -> dict:
    """The argument of a layer that draws its kernel, the run's `kernel`-th, as `arm.init` says."""
    seed = SEEDS_A_RUN * seed + kernel
    if arm.init == "he":
        initializer = keras.initializers.VarianceScaling(2, "fan_in", "untruncated_normal", seed)
    else:
        initializer = keras.initializers.RandomNormal(stddev=arm.std, seed=seed)
    return {"kernel_initializer": initializer}


def _weights(arm: Arm, layer: keras.layers.Layer) -> keras.layers.Layer:
    if arm.norm != "weight":
        return layer
    return layers.WeightNormalization(layer, per_unit=arm.implementation != "published")


def _norm_and_relu(arm: Arm, place: str) -> list[keras.layers.Layer]:
    both = [*_norm(arm, place), keras.layers.ReLU()]
    return both if arm.relu == "after" else both[::-1]


def _norm(arm: Arm, place: str) -> list[keras.layers.Layer]:
    if arm.norm in ("none", "weight") or arm.placement not in (place, "both"):
        return []
    if arm.norm == "own":
        return [own.Normalization(arm.source)]
    if arm.norm == "batch":
        return [_batch_norm(arm)]
    # After the convolution, each image as a whole: over height, width and channels.
    axes = [1, 2, 3] if place == "conv" else [1]
    library = layers if arm.implementation == "ours" else keras.layers
    return [library.LayerNormalization(axis=axes, epsilon=EPSILON)]


def _batch_norm(arm: Arm) -> keras.layers.Layer:
    if arm.implementation == "published":
        return variants.PublishedBatchNormalization(EPSILON)
    options = {"momentum": MOMENTUM, "epsilon": EPSILON}
    if arm.backward != "right":
        return variants.BrokenBatchNormalization(arm.backward, **options)
    library = layers if arm.implementation == "ours" else keras.layers
    return library.BatchNormalization(**options)
