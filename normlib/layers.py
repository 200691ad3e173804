"""Drop-in replacements for Keras's normalization layers, computed by `normlib.gradients`.

Constructor, variables, shapes, configuration and checkpoints are inherited from Keras, so weights
move both ways; the mathematics is ours. `axis` is Keras's: the axis KEPT in batch, group and
instance norm, the axes AVERAGED over in layer and RMS norm.
"""

from contextlib import contextmanager

import keras
import tensorflow as tf

from normlib import checks, gradients, ops
from normlib.weight_norm import WeightNormalization as WeightNormalization  # one of the layers

serializable = keras.saving.register_keras_serializable(package="normlib")


def _floating(x) -> tf.Tensor:
    """Integers as float32, as Keras's BN takes them; its LN and GN truncate their results."""
    x = tf.convert_to_tensor(x)
    return x if x.dtype.is_floating else tf.cast(x, tf.float32)


def _along(vector, x, axes, default: float):
    """The variable with length 1 on the axes of `x` that are not its own; or the default."""
    if vector is None:
        return default
    own = checks.axes_of(len(x.shape), axes, "axis")
    return tf.reshape(vector, [n if a in own else 1 for a, n in enumerate(x.shape)])


@serializable
class BatchNormalization(keras.layers.BatchNormalization):
    """`ops.batch_norm` in training and `ops.normalize` with the moving statistics at inference.

    y, mean, variance = batch_norm(x, gamma, beta, reduction_axes=all but axis, weights=mask)
    moving_mean = momentum * moving_mean + (1 - momentum) * mean, and so the variance

    `momentum` weights the OLD value; the moving variance is the population variance.
    `trainable=False` means inference. `synchronized=True` takes the statistics over all replicas
    of a `tf.distribute` strategy, exact for summed losses (see `gradients.py`). Masked elements do
    not count; a minibatch in which none counts moves the statistics towards 0, as in Keras.
    """

    def build(self, input_shape):
        """Make the variables; raises ValueError for an `axis` that the input lacks."""
        checks.axes_of(len(input_shape), self.axis, "axis")
        super().build(input_shape)

    def call(self, inputs, training=None, mask=None):
        """Normalize with the minibatch's statistics if `training`, else with the moving ones."""
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs. Received: "
                f"mask.shape={mask.shape}, inputs.shape={inputs.shape}"
            )
        x = _floating(inputs)
        if not (training and self.trainable):
            return tf.cast(self._infer(x), self.compute_dtype)
        with self._kept_if_empty(x):
            return tf.cast(self._train(x, mask), self.compute_dtype)

    @contextmanager
    def _kept_if_empty(self, x):
        """A minibatch of no elements has no statistics, and leaves the moving ones as they were."""
        count = gradients.elements(x, self.synchronized)
        certain = isinstance(count, int) and count > 0
        kept = [] if certain else [tf.identity(v) for v in self.non_trainable_variables]
        yield
        for variable, old in zip(self.non_trainable_variables, kept, strict=False):
            variable.assign(tf.where(count > 0, variable, old))

    def _infer(self, x):
        axis, moving = [self.axis], (self.moving_mean, self.moving_variance)
        gamma, beta = _along(self.gamma, x, axis, 1.0), _along(self.beta, x, axis, 0.0)
        mean, variance = (_along(vector, x, axis, 0.0) for vector in moving)
        return gradients.normalize(x, mean, variance, gamma, beta, epsilon=self.epsilon)

    def _train(self, x, mask):
        gamma, beta = self.gamma, self.beta
        if self.renorm:  # Keras's corrections r and d are constants: x_hat * r + d is affine
            _, *moments = self._batch_norm(x, mask, None, None)
            r, d, *moments = self._renorm_correction_and_moments(
                *(tf.reshape(moment, [-1]) for moment in moments)
            )
            gamma, beta = self._compose_transforms(r, d, gamma, beta, r.dtype)
            self._update_renorm_statistics(*moments)
        y, mean, variance = self._batch_norm(x, mask, gamma, beta)
        if not self.renorm:
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance)
        return y

    def _batch_norm(self, x, mask, gamma, beta):
        norm = gradients.synchronized_batch_norm if self.synchronized else gradients.batch_norm
        gamma, beta = _along(gamma, x, [self.axis], 1.0), _along(beta, x, [self.axis], 0.0)
        weights = None if mask is None else tf.cast(tf.cast(mask, bool), x.dtype)[..., None]
        options = {"reduction_axes": self._reduction_axes, "weights": weights}
        return norm(x, gamma, beta, epsilon=self.epsilon, **options)

    def _update(self, moving, new):
        new = tf.reshape(new, moving.shape)  # averaged as wide as it came, then rounded once
        average = ops.moving_average(tf.cast(moving, new.dtype), new, momentum=self.momentum)
        moving.assign(tf.cast(average, moving.dtype))


@serializable
class LayerNormalization(keras.layers.LayerNormalization):
    """`ops.layer_norm` over `axis`, with `gamma` and `beta` of the shape of those axes.

    The deprecated `rms_scaling=True` is left to Keras; use RMSNormalization.
    """

    def build(self, input_shape):
        """Make the variables; raises ValueError for an `axis` that the input lacks."""
        axes = checks.axes_of(len(input_shape), self.axis, "axis")
        if axes[1:]:  # Keras would swap the axes of gamma and beta for [1, -1]
            self.axis = sorted(axes)
        super().build(input_shape)

    def call(self, inputs):
        """Normalize every example with its own statistics."""
        if self.rms_scaling:
            return super().call(inputs)
        x = _floating(inputs)
        gamma, beta = _along(self.gamma, x, self.axis, 1.0), _along(self.beta, x, self.axis, 0.0)
        y = gradients.layer_norm(x, gamma, beta, reduction_axes=self.axis, epsilon=self.epsilon)
        return tf.cast(y, self.compute_dtype)


@serializable
class GroupNormalization(keras.layers.GroupNormalization):
    """`ops.group_norm`: every example over each of the `groups` of channels at `axis`."""

    def build(self, input_shape):
        """Make the variables; raises ValueError for an `axis` that the input lacks."""
        (axis,) = checks.axes_of(len(input_shape), self.axis, "axis")
        if axis == 0:
            raise ValueError("axis must not be that of the examples; received 0.")
        super().build(input_shape)

    def call(self, inputs):
        """Normalize every group of every example with its own statistics."""
        gamma = 1.0 if self.gamma is None else self.gamma
        beta = 0.0 if self.beta is None else self.beta
        options = {"groups": self.groups, "axis": self.axis, "epsilon": self.epsilon}
        y = gradients.group_norm(_floating(inputs), gamma, beta, **options)
        return tf.cast(y, self.compute_dtype)


@serializable
class InstanceNormalization(GroupNormalization):
    """`ops.instance_norm`: every channel of every example over its positions."""

    def __init__(self, axis: int = -1, epsilon: float = 1e-3, **kwargs):
        super().__init__(groups=-1, axis=axis, epsilon=epsilon, **kwargs)

    def call(self, inputs):
        """Normalize every channel of every example with its own statistics."""
        checks.rank_at_least(inputs, 3)
        return super().call(inputs)

    def get_config(self):
        """The configuration; the number of groups follows from the input."""
        config = super().get_config()
        del config["groups"]
        return config


@serializable
class RMSNormalization(keras.layers.RMSNormalization):
    """`ops.rms_norm` over `axis`, with a `scale` (the ops' gamma) of the shape of those axes."""

    def build(self, input_shape):
        """Make the variable; raises ValueError for an `axis` that the input lacks."""
        checks.axes_of(len(input_shape), self.axis, "axis")
        super().build(input_shape)

    def call(self, x):
        """Divide every example by the root mean square of its features."""
        x = _floating(x)
        scale = _along(self.scale, x, self.axis, 1.0)
        y = gradients.rms_norm(x, scale, reduction_axes=self.axis, epsilon=self.epsilon)
        return tf.cast(y, self.compute_dtype)
