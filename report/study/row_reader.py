"""A recurrent network that reads an image row by row, with a norm of its summed inputs."""

import keras
import tensorflow as tf

from normlib import model
from normlib.arm import Arm

ROWS, UNITS = model.INPUT_SHAPE[0], 100


def build(arm: Arm, seed: int) -> keras.Sequential:
    """h = tanh(norm(row @ W + h @ U + b)) for each row from the top, h = 0 before; dense 10 of h.

    LN and RMS norm have one gamma and beta for all rows (Ba et al. 2016, equation 4); BN has
    statistics, gamma and beta of each row, or with implementation "shared" one for all. The bias is
    drawn too: many images begin with blank rows, where it is all that varies over the units, and LN
    of equal inputs has gradients of 1 / sqrt(epsilon) a row.
    """
    *reader, dense = (
        model.draw(arm, seed, kernel)["kernel_initializer"] for kernel in (0, 1, 3, 2)
    )
    return keras.Sequential([
        keras.Input(model.INPUT_SHAPE),
        RowReader(_norms_of_rows(arm), *reader),
        keras.layers.Dense(model.CLASSES, kernel_initializer=dense),
    ])  # fmt: skip


def _norms_of_rows(arm: Arm) -> model.Layers:
    if arm.norm == "none":
        return [keras.layers.Identity()] * ROWS
    make = model.NORMS[f"{arm.norm}, ours"]
    if arm.norm == "batch" and arm.implementation == "ours":
        return [make(arm, "hidden") for _ in range(ROWS)]
    return [make(arm, "hidden")] * ROWS


class RowReader(keras.layers.Layer):
    """A recurrent layer over the rows of an image, with a norm of the summed inputs at each row."""

    def __init__(self, norms: model.Layers, inputs, hidden, bias, **kwargs):
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
