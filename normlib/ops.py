"""The normalizations as equations: pure functions on tensors, from basic TensorFlow operations.

No variables, no Keras, no randomness. Axes are always `reduction_axes`: those averaged over.
Variance is the population variance (divide by the count), computed in two passes; `epsilon`
stands under the root. `gamma`, `beta` and the statistics broadcast against `x`.
"""

import tensorflow as tf


def moments(x: tf.Tensor, *, reduction_axes) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and population variance of `x` over `reduction_axes`, which keep length 1.

    mean = sum(x) / n;  variance = sum((x - mean)**2) / n, with n elements averaged over.

    The second pass subtracts the mean first: sum(x**2)/n - mean**2 would cancel at large means.
    """
    mean = tf.reduce_mean(x, reduction_axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), reduction_axes, keepdims=True)
    return mean, variance


def normalize(x, mean, variance, gamma, beta, *, epsilon: float) -> tf.Tensor:
    """Return `x` standardized with the given statistics, then scaled and shifted.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    The centred form: x * r + (beta - mean * r) would lose accuracy at large means.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    x_hat = (x - mean) * inv_std
    return gamma * x_hat + beta


def batch_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3):
    """Normalize every channel of `x` over the minibatch; return `(y, mean, variance)`.

    mean, variance = moments(x, reduction_axes=reduction_axes)
    y = normalize(x, mean, variance, gamma, beta, epsilon=epsilon)

    x: (N, ..., C) with reduction_axes all but the channels, (0, 1, 2) for images;
    gamma, beta: (C,); y: as x; mean, variance: (1, ..., 1, C), for the moving statistics.
    Source: Ioffe & Szegedy 2015, Algorithm 1; section 3.2 for convolutions.
    """
    mean, variance = moments(x, reduction_axes=reduction_axes)
    y = normalize(x, mean, variance, gamma, beta, epsilon=epsilon)
    return y, mean, variance


def moving_average(moving, new, *, momentum: float) -> tf.Tensor:
    """Return the moving statistic after one minibatch; `momentum` weights the OLD value.

    moving = momentum * moving + (1 - momentum) * new

    As Keras has it; PyTorch's `momentum` is 1 minus this one.
    Source: Ioffe & Szegedy 2015, section 3.1 (moving averages for inference).
    """
    return momentum * moving + (1 - momentum) * new


def layer_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3) -> tf.Tensor:
    """Normalize every example of `x` over its own features.

    mean, variance = moments(x, reduction_axes=reduction_axes)
    y = normalize(x, mean, variance, gamma, beta, epsilon=epsilon)

    x: (N, D) with reduction_axes (1,), or (N, H, W, C) with (1, 2, 3), and so on;
    gamma, beta: the lengths of the axes averaged over, (D,) or (H, W, C); y: as x.
    Source: Ba, Kiros & Hinton 2016, equations 3 and 4.
    """
    mean, variance = moments(x, reduction_axes=reduction_axes)
    return normalize(x, mean, variance, gamma, beta, epsilon=epsilon)


def weight_norm(v, g, *, reduction_axes) -> tf.Tensor:
    """Return the weights of direction `v` and length `g`.

    w = g * v / norm(v, reduction_axes=reduction_axes)

    v: (..., C) with reduction_axes all but the output units, so that each unit has its own norm;
    g: (C,); w: as v. All zero `v` has no direction: its w is not a number.
    Source: Salimans & Kingma 2016, equation 2.
    """
    return g * v / norm(v, reduction_axes=reduction_axes)


def norm(v, *, reduction_axes) -> tf.Tensor:
    """Return the Euclidean norm of `v` over `reduction_axes`, which keep length 1.

    norm = sqrt(sum(v**2))
    """
    return tf.sqrt(tf.reduce_sum(tf.square(v), reduction_axes, keepdims=True))
