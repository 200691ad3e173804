"""The lab's networks for an arm: the convolutional one, and the one that reads rows.

Norms come from two tables by name, NORMS for those of activations and KERNELS for those of
weights, to which others may be added.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from normlib import free, layers
from normlib.arm import Arm

EPSILON = 1e-5  # the published script's, as is the next
MOMENTUM = 0.9  # of the moving statistics
INPUT_SHAPE, CLASSES = (28, 28, 1), 10
ROWS, UNITS = INPUT_SHAPE[0], 100  # of the network that reads rows

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
    return [_from(NORMS, arm)(arm, place)]


def _kernel(arm: Arm, layer: keras.layers.Layer) -> keras.layers.Layer:
    return _from(KERNELS, arm)(layer) if arm.norm == "weight" else layer


def _from(table: dict[str, Callable], arm: Arm) -> Callable:
    if name(arm) not in table:
        raise ValueError(
            f"model.py has no norm {name(arm)!r}; it has {'; '.join(table)}. Those of "
            "report/study/variants.py are there once that module is imported."
        )
    return table[name(arm)]


# The convolutional network -----------------------------------------------------------------------


def build(arm: Arm, seed: int) -> keras.Sequential:
    """Return the arm's network, images (N, 28, 28, 1) to logits (N, 10), weights drawn from `seed`.

    The same seed gives the same initial weights in every arm of one network and `init`. Raises
    ValueError for a norm that is in neither table.
    """
    return {"cnn": _convolutional, "rnn": _recurrent}[arm.network](arm, seed)


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


# The network that reads an image row by row ------------------------------------------------------


def _recurrent(arm: Arm, seed: int) -> keras.Sequential:
    """h = tanh(norm(row @ W + h @ U + b)) for each row from the top, h = 0 before; dense 10 of h.

    LN and RMS norm have one gamma and beta for all rows (Ba et al. 2016, equation 4); BN has
    statistics, gamma and beta of each row, or with implementation "shared" one for all. The bias is
    drawn too: many images begin with blank rows, where it is all that varies over the units, and LN
    of equal inputs has gradients of 1 / sqrt(epsilon) a row.
    """
    *reader, dense = (draw(arm, seed, kernel)["kernel_initializer"] for kernel in (0, 1, 3, 2))
    return keras.Sequential([
        keras.Input(INPUT_SHAPE),
        RowReader(_norms_of_rows(arm), *reader),
        keras.layers.Dense(CLASSES, kernel_initializer=dense),
    ])  # fmt: skip


def _norms_of_rows(arm: Arm) -> Layers:
    if arm.norm == "none":
        return [keras.layers.Identity()] * ROWS
    make = NORMS[f"{arm.norm}, ours"]
    if arm.norm == "batch" and arm.implementation == "ours":
        return [make(arm, "hidden") for _ in range(ROWS)]
    return [make(arm, "hidden")] * ROWS


class RowReader(keras.layers.Layer):
    """A recurrent layer over the rows of an image, with a norm of the summed inputs at each row."""

    def __init__(self, norms: Layers, inputs, hidden, bias, **kwargs):
        super().__init__(**kwargs)
        self.norms, self.initializers = norms, (inputs, hidden, bias)

    def build(self, input_shape):
        """Make the kernels W and U, the bias b, and the norms."""
        inputs, hidden, bias = self.initializers
        self.inputs = self.add_weight(
            name="inputs", shape=(input_shape[2], UNITS), initializer=inputs
        )
        self.hidden = self.add_weight(name="hidden", shape=(UNITS, UNITS), initializer=hidden)
        self.bias = self.add_weight(name="bias", shape=(UNITS,), initializer=bias)
        for norm in dict.fromkeys(self.norms):
            norm.build((None, UNITS))

    def call(self, images):
        """Read images (N, H, W, 1) from the top; return the last h, (N, UNITS)."""
        h = tf.zeros([tf.shape(images)[0], UNITS])
        for row, norm in zip(tf.unstack(images[..., 0], axis=1), self.norms, strict=True):
            h = tf.tanh(norm(row @ self.inputs.value + h @ self.hidden.value + self.bias.value))
        return h
