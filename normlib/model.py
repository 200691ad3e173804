"""The lab's network for an arm.

Norms come from two tables by name, NORMS for those of activations and KERNELS for those of
weights; NETWORKS are a third. Others may be added to all three.
"""

from collections.abc import Callable

import keras
import numpy as np

from normlib import free, layers
from normlib.arm import Arm

EPSILON = 1e-5  # the published script's, as is the next
MOMENTUM = 0.9  # of the moving statistics
INPUT_SHAPE, CLASSES = (28, 28, 1), 10

# Each kernel draws its weights from its own seed, at most 9 beyond this multiple of the run's.
SEEDS_A_RUN = 10

Layers = list[keras.layers.Layer]

# The norms --------------------------------------------------------------------------------------

GROUPS = 6  # of group norm, of the 30 channels


def _layer_norm(library, arm: Arm, place: str) -> keras.layers.Layer:
    """LN of each image as a whole, height, width and channels, or of each of its pixels."""
    if place == "hidden" or arm.per == "pixel":
        return library.LayerNormalization(axis=[-1], epsilon=EPSILON)
    if arm.per == "channel":
        return library.GroupNormalization(groups=1, epsilon=EPSILON)
    return library.LayerNormalization(axis=[1, 2, 3], epsilon=EPSILON)


def _norms_of(library) -> dict[str, Callable[[Arm, str], keras.layers.Layer]]:
    """The norms that the lab's layers and Keras's both have: functions of the arm and the place."""
    return {
        "batch": lambda arm, _: library.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON),
        "layer": lambda arm, place: _layer_norm(library, arm, place),
        "group": lambda arm, _: library.GroupNormalization(groups=GROUPS, epsilon=EPSILON),
        "rms": lambda arm, _: library.RMSNormalization(epsilon=EPSILON),
    }


NORMS = {
    f"{norm}, {owner}": make
    for owner, library in (("ours", layers), ("free", layers), ("keras", keras.layers))
    for norm, make in _norms_of(library).items()
}
KERNELS = {"weight, ours": layers.WeightNormalization, "weight, free": free.WeightNormalization}


def name(arm: Arm) -> str:
    """The arm's norm as the tables name it: "batch, ours", or "batch, constant mean" if wrong."""
    return f"{arm.norm}, {arm.implementation if arm.backward == 'right' else arm.backward}"


def _norm(arm: Arm, place: str) -> Layers:
    if arm.norm == "none" or arm.norm == "weight" or arm.placement not in (place, "both"):
        return []
    return [_from(NORMS, name(arm))(arm, place)]


def _kernel(arm: Arm, layer: keras.layers.Layer) -> keras.layers.Layer:
    return _from(KERNELS, name(arm))(layer) if arm.norm == "weight" else layer


def _from(table: dict[str, Callable], name: str) -> Callable:
    if name not in table:
        raise ValueError(
            f"unknown norm or network {name!r}; known: {'; '.join(table)}. Those of report/study/"
            "variants.py are known once that module is imported."
        )
    return table[name]


# The network -------------------------------------------------------------------------------------


def build(arm: Arm, seed: int) -> keras.Sequential:
    """Return the arm's network, images (N, 28, 28, 1) to logits (N, 10), weights drawn from `seed`.

    The same seed gives the same initial weights in every arm of one network and `init`. Raises
    ValueError for a norm or a network that is in none of the tables.
    """
    return _from(NETWORKS, arm.network)(arm, seed)


def _convolutional(arm: Arm, seed: int) -> keras.Sequential:
    """conv 5x5x30 SAME, [norm], 2x2 max-pool, ReLU, dense 100, [norm], ReLU, dense 10.

    Pooling before ReLU is the same function with the same gradient, and leaves ReLU a quarter of
    the elements. Source: the published report, section 1.2.
    """
    model = keras.Sequential([
        keras.Input(INPUT_SHAPE),
        *_first_block(arm, seed),
        *(layer for block in range(1, arm.blocks) for layer in _further_block(arm, seed, block)),
        keras.layers.Flatten(),
        _kernel(arm, keras.layers.Dense(100, **draw(arm, seed, 1))),
        *_norm_and_relu(arm, "hidden"),
        _kernel(arm, keras.layers.Dense(CLASSES, **draw(arm, seed, 2))),
    ])  # fmt: skip
    _move_one_weight(model.trainable_variables[0], arm.ulps)
    return model


def _first_block(arm: Arm, seed: int) -> Layers:
    options = {"filters": 30, "kernel_size": 5, "padding": "same"} | draw(arm, seed, 0)
    convolution = _kernel(arm, keras.layers.Conv2D(**options))
    if arm.implementation == "free":
        return [free.Block(convolution, *_norm(arm, "conv"))]
    if arm.relu == "before":
        return [convolution, keras.layers.ReLU(), *_norm(arm, "conv"), keras.layers.MaxPooling2D()]
    return [convolution, *_norm(arm, "conv"), keras.layers.MaxPooling2D(), keras.layers.ReLU()]


def _further_block(arm: Arm, seed: int, block: int) -> Layers:
    options = {"filters": 30, "kernel_size": 3, "padding": "same"} | draw(arm, seed, 2 + block)
    return [_kernel(arm, keras.layers.Conv2D(**options)), *_norm_and_relu(arm, "conv")]


def _norm_and_relu(arm: Arm, place: str) -> Layers:
    both = [*_norm(arm, place), keras.layers.ReLU()]
    return both if arm.relu == "after" else both[::-1]


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


NETWORKS = {"cnn": _convolutional}
