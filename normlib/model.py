"""The lab's convolutional network for an arm."""

import keras
import numpy as np

from normlib import layers, own
from normlib.arms import Arm

EPSILON = 1e-5  # the published script's, as is the next
MOMENTUM = 0.9  # of the moving statistics
INPUT_SHAPE, CLASSES = (28, 28, 1), 10

# Each kernel draws its weights from its own seed, 0 to 2 beyond this multiple of the run's.
SEEDS_A_RUN = 10


def build(arm: Arm, seed: int) -> keras.Sequential:
    """Return the arm's network, images (N, 28, 28, 1) to logits (N, 10), weights drawn from `seed`.

    conv 5x5x30 SAME, [norm], ReLU, 2x2 max-pool, dense 100, [norm], ReLU, dense 10

    The same seed gives the same initial weights in every arm of one `init`.
    Source: the published report, section 1.2.
    """
    model = keras.Sequential([
        keras.Input(INPUT_SHAPE),
        _weights(arm, keras.layers.Conv2D(30, 5, padding="same", **_draw(arm, seed, 0))),
        *_norm(arm, "conv"),
        keras.layers.ReLU(),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        _weights(arm, keras.layers.Dense(100, **_draw(arm, seed, 1))),
        *_norm(arm, "hidden"),
        keras.layers.ReLU(),
        _weights(arm, keras.layers.Dense(CLASSES, **_draw(arm, seed, 2))),
    ])  # fmt: skip
    _move_one_weight(model.trainable_variables[0], arm.ulps)
    return model


def _move_one_weight(kernel: keras.Variable, ulps: int) -> None:
    values = kernel.numpy()
    values.flat[0] += ulps * np.spacing(values.flat[0])
    kernel.assign(values)


def _draw(arm: Arm, seed: int, kernel: int) -> dict:
    seed = SEEDS_A_RUN * seed + kernel
    if arm.init == "he":
        initializer = keras.initializers.VarianceScaling(2, "fan_in", "untruncated_normal", seed)
    else:
        initializer = keras.initializers.RandomNormal(stddev=0.1, seed=seed)
    return {"kernel_initializer": initializer}


def _weights(arm: Arm, layer: keras.layers.Layer) -> keras.layers.Layer:
    return layers.WeightNormalization(layer) if arm.norm == "weight" else layer


def _norm(arm: Arm, place: str) -> list[keras.layers.Layer]:
    if arm.norm in ("none", "weight") or arm.placement not in (place, "both"):
        return []
    if arm.norm == "own":
        return [own.Normalization(arm.source)]
    library = layers if arm.implementation == "ours" else keras.layers
    if arm.norm == "batch":
        return [library.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)]
    # After the convolution, each image as a whole: over height, width and channels.
    axes = [1, 2, 3] if place == "conv" else [1]
    return [library.LayerNormalization(axis=axes, epsilon=EPSILON)]
