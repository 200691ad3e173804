"""Layers with other weights: weight normalization as a wrapper, and BN folded into a layer.

Weight normalization has its data-dependent initialization. Folding is for inference.
"""

import warnings
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from normlib import checks, gradients, ops

OUTPUTS_LAST = tuple(
    getattr(keras.layers, name) for name in ("Dense", "Conv1D", "Conv2D", "Conv3D")
)


def check_outputs_last(layer, what: str) -> None:
    first = getattr(layer, "data_format", None) == "channels_first"
    if not isinstance(layer, OUTPUTS_LAST) or first:
        names = ", ".join(kind.__name__ for kind in OUTPUTS_LAST)
        raise ValueError(
            f"{what} takes layers with the output units last, in kernel and output: {names}, "
            f"channels last; received {type(layer).__name__}{', channels first' * first}."
        )


READ_THE_KERNEL = ("quantize", "enable_lora")  # methods that would take v for the weights


def _has_another_kernel(layer) -> bool:
    return bool(getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False))


def _refuse(layer, what: str, *_, **__):
    raise ValueError(
        f"{what} would read the direction v of {layer.name} in place of its weights. Call "
        "layer = weight_normalization.remove() first."
    )


@keras.saving.register_keras_serializable(package="normlib")
class WeightNormalization(keras.layers.Wrapper):
    """A Dense or convolution layer whose kernel is `ops.weight_norm(v, g)`.

    w = g * v / norm(v), a norm and a `g` for each output unit, or one for all with `per_unit=False`

    `v` is the wrapped layer's own kernel variable and `g` starts at its norm, so wrapping leaves
    the function unchanged; `kernel` is w. The layer's regularizer and constraint of its
    kernel apply to v. Quantization and LoRA, which read the kernel's variable directly, raise
    ValueError: call `remove` first. So do other layers. Source: Salimans & Kingma 2016.
    """

    def __init__(self, layer, per_unit: bool = True, **kwargs):
        check_outputs_last(layer, "WeightNormalization")
        if _has_another_kernel(layer):
            raise ValueError(f"{layer.name} is quantized or has LoRA weights: wrap a plain layer.")
        # Without autocast here: the norm is taken of v as it is stored.
        super().__init__(layer, autocast=False, **kwargs)
        self._own_methods = {method: getattr(layer, method) for method in READ_THE_KERNEL}
        for method in READ_THE_KERNEL:
            setattr(layer, method, partial(_refuse, layer, method))
        # Recomputed as a whole: alone, the wrapped layer would lose the gradient of w.
        self._remat_mode, layer._remat_mode = self._remat_mode or layer._remat_mode, None
        self.per_unit = per_unit
        self.supports_masking = layer.supports_masking

    def build(self, input_shape=None):
        """Make `g`, once the wrapped layer has its kernel."""
        super().build(input_shape)
        self.v = self.layer.kernel
        self.reduction_axes = tuple(range(len(self.v.shape) - self.per_unit))
        shape = self.v.shape[-1:] if self.per_unit else ()
        dtype = checks.widen(self.v.value)[0].dtype.name  # of half precision, float32
        self.g = self.add_weight(
            name="g", shape=shape, dtype=dtype, initializer=self._norm, autocast=False
        )

    def _norm(self, shape=(), dtype=None):
        _, norm = self._direction()
        return tf.cast(tf.reshape(norm, shape), dtype or norm.dtype)

    def _direction(self):
        """The unit vectors of v and their norms, of half precision too in float32."""
        (v,) = checks.widen(self.v.value)
        return ops.direction(v, reduction_axes=self.reduction_axes)

    @property
    def kernel(self) -> tf.Tensor:
        """The weights w that the layer uses, in the type of v."""
        return gradients.weight_norm(self.v.value, self.g, reduction_axes=self.reduction_axes)

    def call(self, x, **kwargs):
        """Call the wrapped layer with the normalized kernel; after `remove`, as it may be now."""
        if _has_another_kernel(self.layer):
            return self.layer(x, **kwargs)
        return self._call_with([(self.v, self.kernel)], x, **kwargs)

    def _call_with(self, values: list[tuple], x, **kwargs):
        # Inside this scope the layer reads these values where it would read its variables.
        mapping = [*((v, v.value) for v in self.layer.variables), *values]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            y = self.layer(x, **kwargs)
        for loss in scope.losses:
            self.add_loss(loss)
        given = [id(variable) for variable, _ in values]
        for variable in self.layer.non_trainable_variables:  # as of an activation with state
            if id(variable) not in given:
                variable.assign(scope.get_current_value(variable))
        return y

    def compute_output_shape(self, input_shape):
        """That of the wrapped layer."""
        return self.layer.compute_output_shape(input_shape)

    def initialize(self, x) -> None:
        """Set `g` and the bias so that every unit's output on `x` has mean 0 and variance 1.

        t = layer with kernel v / norm(v) and no bias;  g = 1 / std(t);  bias = -mean(t) / std(t)

        x: a minibatch. Before the activation. A unit whose output does not vary keeps what it
        has, with a warning that names it. Raises ValueError without a bias or with one `g` for
        all. Source: Salimans & Kingma 2016, equations 5 and 6.
        """
        if not (self.per_unit and self.layer.use_bias):
            raise ValueError(
                "data-dependent initialization sets a g and a bias for every unit; wrap a layer "
                "with use_bias=True and per_unit=True."
            )
        mean, variance = self._unit_moments(tf.convert_to_tensor(x))
        varies = variance > 1e-12 * (np.square(mean) + 1e-12)
        for unit in np.flatnonzero(~varies):
            warnings.warn(
                f"unit {unit} of {self.layer.name} does not vary on this minibatch; its g and "
                "bias are left as they were.",
                stacklevel=2,
            )
        inv_std = 1 / np.sqrt(np.where(varies, variance, 1))
        self.g.assign(np.where(varies, inv_std, self.g.numpy()))
        self.layer.bias.assign(np.where(varies, -mean * inv_std, self.layer.bias.numpy()))

    def _unit_moments(self, x) -> tuple[np.ndarray, np.ndarray]:
        if not self.built:
            self.build(x.shape)
        unit, _ = self._direction()
        activation, self.layer.activation = self.layer.activation, keras.activations.linear
        try:
            bias = tf.zeros_like(self.layer.bias.value)
            t = self._call_with([(self.v, tf.cast(unit, self.v.dtype)), (self.layer.bias, bias)], x)
        finally:
            self.layer.activation = activation
        t = np.asarray(tf.cast(t, tf.float64)).reshape(-1, t.shape[-1])
        return t.mean(0), t.var(0)

    def remove(self) -> keras.layers.Layer:
        """Bake the normalized kernel into the wrapped layer, and return that layer.

        The wrapper computes the same as before. Raises ValueError before it is built.
        """
        if not self.built:
            raise ValueError("there is no kernel to bake before the layer is built; call it once.")
        self.v.assign(self.kernel)
        self.g.assign(self._norm(self.g.shape))
        for method, own in self._own_methods.items():
            setattr(self.layer, method, own)
        self.layer._remat_mode = self._remat_mode
        return self.layer

    def get_config(self):
        """The configuration, wrapped layer included."""
        return super().get_config() | {"per_unit": self.per_unit}


# Batch norm, folded into the layer before it -----------------------------------------------------


def fold(layer, batch_norm) -> keras.layers.Layer:
    """Return one layer that does at inference what `layer` and then `batch_norm` do.

    r = 1 / sqrt(moving_variance + epsilon)
    kernel = gamma * r * kernel;  bias = beta + (bias - moving_mean) * gamma * r

    layer: built Dense or convolution, channels last, no activation; batch_norm: built, of that
    many channels, ours or Keras's. Raises ValueError for what cannot be folded.
    Source: Ioffe & Szegedy 2015, section 3.1 (inference is a fixed linear transform).
    """
    check_outputs_last(layer, "fold")
    if not isinstance(batch_norm, keras.layers.BatchNormalization):
        raise ValueError(f"fold needs a BatchNormalization; received {type(batch_norm).__name__}.")
    is_wrapped = getattr(layer.quantize, "func", None) is _refuse
    if is_wrapped or _has_another_kernel(layer) or not (layer.built and batch_norm.built):
        raise ValueError(
            "fold needs layers that are built, not quantized and without LoRA; call remove() first."
        )
    channels, shape = layer.kernel.shape[-1], layer.get_build_config()["input_shape"]
    if layer.activation is not keras.activations.linear:
        raise ValueError(
            f"fold needs a layer without activation; received {layer.activation.__name__}. Put the "
            "activation after the batch normalization."
        )
    rank, found = len(layer.compute_output_shape(shape)), batch_norm.moving_mean.shape[0]
    if found != channels or batch_norm.axis not in (-1, rank - 1):
        raise ValueError(
            f"fold needs a batch normalization of the layer's {channels} channels on the last of "
            f"its output's {rank} axes; received {found} on axis {batch_norm.axis}."
        )
    folded = type(layer).from_config(layer.get_config() | {"use_bias": True})
    folded.build(shape)
    scale, shift = _affine(batch_norm)
    kernel, *bias = (np.asarray(w, np.float64) for w in layer.get_weights())
    folded.set_weights([kernel * scale, (bias[0] if bias else 0) * scale + shift])
    return folded


def _affine(batch_norm) -> tuple[np.ndarray, np.ndarray]:
    moving = batch_norm.moving_mean, batch_norm.moving_variance
    mean, variance = (np.asarray(v, np.float64) for v in moving)
    gamma = 1.0 if batch_norm.gamma is None else np.asarray(batch_norm.gamma, np.float64)
    beta = 0.0 if batch_norm.beta is None else np.asarray(batch_norm.beta, np.float64)
    scale = gamma / np.sqrt(variance + batch_norm.epsilon)
    return scale, beta - mean * scale
