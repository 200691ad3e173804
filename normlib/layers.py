"""Keras layers around the ops: they hold the variables, the ops hold the mathematics."""

import keras
import tensorflow as tf

from normlib import ops

serializable = keras.saving.register_keras_serializable(package="normlib")


@serializable
class BatchNormalization(keras.layers.Layer):
    """`ops.batch_norm` with trainable `gamma`, `beta` and moving statistics for inference.

    A drop-in for `keras.layers.BatchNormalization`: `axis` is the axis KEPT (the channels),
    `momentum` weights the old value, the moving variance is the population variance.
    """

    def __init__(self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon

    def build(self, input_shape):
        rank, channels = len(input_shape), (input_shape[self.axis],)
        self.reduction_axes = [a for a in range(rank) if a != self.axis % rank]
        self.gamma = self.add_weight(name="gamma", shape=channels, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=channels, initializer="zeros")
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=channels, initializer="zeros", trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=channels, initializer="ones", trainable=False
        )

    def call(self, x, training=None):
        """Normalize with the minibatch's statistics if `training`, else with the moving ones."""
        gamma, beta = self._along_axis(self.gamma, x), self._along_axis(self.beta, x)
        if training and self.trainable:
            y, mean, variance = ops.batch_norm(
                x, gamma, beta, reduction_axes=self.reduction_axes, epsilon=self.epsilon
            )
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance)
            return y
        mean = self._along_axis(self.moving_mean, x)
        variance = self._along_axis(self.moving_variance, x)
        return ops.normalize(x, mean, variance, gamma, beta, epsilon=self.epsilon)

    def _along_axis(self, vector, x):
        shape = [-1 if a == self.axis % len(x.shape) else 1 for a in range(len(x.shape))]
        return tf.reshape(vector, shape)

    def _update(self, moving, new):
        new = tf.reshape(new, moving.shape)
        moving.assign(ops.moving_average(moving, new, momentum=self.momentum))

    def get_config(self):
        config = {"axis": self.axis, "momentum": self.momentum, "epsilon": self.epsilon}
        return super().get_config() | config


@serializable
class LayerNormalization(keras.layers.Layer):
    """`ops.layer_norm` with trainable `gamma` and `beta`.

    A drop-in for `keras.layers.LayerNormalization`: `axis` names the axes AVERAGED over, and
    `gamma` and `beta` have the shape of those axes.
    """

    def __init__(self, axis: int | list[int] = -1, epsilon: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.epsilon = axis, epsilon

    def build(self, input_shape):
        rank = len(input_shape)
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        self.reduction_axes = sorted(a % rank for a in axes)
        shape = tuple(input_shape[a] for a in self.reduction_axes)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(self, x, training=None):
        """Normalize every example with its own statistics, whether `training` or not."""
        shape = [x.shape[a] if a in self.reduction_axes else 1 for a in range(len(x.shape))]
        gamma, beta = tf.reshape(self.gamma, shape), tf.reshape(self.beta, shape)
        return ops.layer_norm(
            x, gamma, beta, reduction_axes=self.reduction_axes, epsilon=self.epsilon
        )

    def get_config(self):
        return super().get_config() | {"axis": self.axis, "epsilon": self.epsilon}


@serializable
class WeightNormalization(keras.layers.Wrapper):
    """A layer whose kernel is `ops.weight_norm(v, g)`, one `g` per output unit.

    `v` is the wrapped layer's own kernel variable and `g` starts at its norm, so that wrapping
    leaves the function unchanged. For layers with the output units last, as Dense and Conv2D.
    """

    def build(self, input_shape=None):
        super().build(input_shape)
        self.v = self.layer.kernel
        self.reduction_axes = list(range(len(self.v.shape) - 1))
        self.g = self.add_weight(name="g", shape=self.v.shape[-1:], initializer="ones")
        norm = ops.norm(tf.convert_to_tensor(self.v), reduction_axes=self.reduction_axes)
        self.g.assign(tf.reshape(norm, [-1]))

    def call(self, x, **kwargs):
        kernel = ops.weight_norm(
            tf.convert_to_tensor(self.v), self.g, reduction_axes=self.reduction_axes
        )
        # Inside this scope the layer reads `kernel` where it would read its variable.
        with keras.StatelessScope(state_mapping=[(self.v, kernel)]):
            return self.layer(x, **kwargs)
