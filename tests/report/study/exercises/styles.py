"""Right solutions in many styles: none of them may be called wrong."""

import keras
import numpy as np
import tensorflow as tf

from report.study.exercises import solutions
from report.study.exercises.catalogue import EXERCISES

STYLES = {name: [getattr(solutions, name)] for name in EXERCISES}


def style(name):
    """Put a function among the right solutions of the exercise."""

    def put(function):
        STYLES[name].append(function)
        return function

    return put


@style("batch_norm")
def with_methods(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + epsilon) + beta


@style("batch_norm")
def with_keepdims(x, gamma, beta, epsilon):
    mean = np.mean(x, axis=0, keepdims=True)
    variance = np.var(x, axis=0, keepdims=True)
    return gamma.reshape(1, -1) * (x - mean) * (variance + epsilon) ** -0.5 + beta[None, :]


@style("batch_norm")
def with_einsum(x, gamma, beta, epsilon):
    n = x.shape[0]
    mean = np.einsum("nd->d", x) / n
    centred = x - mean
    variance = np.einsum("nd,nd->d", centred, centred) / n
    return np.einsum("d,nd,d->nd", gamma, centred, 1 / np.sqrt(variance + epsilon)) + beta


@style("batch_norm")
def one_pass(x, gamma, beta, epsilon):
    mean = x.mean(0)
    variance = (x**2).mean(0) - mean**2
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


@style("batch_norm")
def in_place_on_a_copy(x, gamma, beta, epsilon):
    y = x.copy()
    y -= y.mean(axis=0)
    y /= np.sqrt(np.square(y).mean(axis=0) + epsilon)
    y *= gamma
    y += beta
    return y


@style("batch_norm")
def with_loops(x, gamma, beta, epsilon):
    rows = [[0.0] * x.shape[1] for _ in range(x.shape[0])]
    for j in range(x.shape[1]):
        column = [x[i, j] for i in range(x.shape[0])]
        mean = sum(column) / len(column)
        variance = sum((value - mean) ** 2 for value in column) / len(column)
        for i, value in enumerate(column):
            rows[i][j] = gamma[j] * (value - mean) / (variance + epsilon) ** 0.5 + beta[j]
    return rows


@style("batch_norm")
def transposed(x, gamma, beta, epsilon):
    rows = x.T
    mean, variance = rows.mean(1, keepdims=True), rows.var(1, keepdims=True)
    return (gamma[:, None] * (rows - mean) / np.sqrt(variance + epsilon) + beta[:, None]).T


@style("batch_norm")
def in_single_precision(x, gamma, beta, epsilon):
    x, gamma, beta = (np.asarray(a, np.float32) for a in (x, gamma, beta))
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + np.float32(epsilon)) + beta


@style("batch_norm")
def folded(x, gamma, beta, epsilon):
    scale = gamma / np.sqrt(x.var(0) + epsilon)
    return x * scale + (beta - x.mean(0) * scale)


@style("batch_norm")
def tf_moments(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, axes=[0])
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


@style("batch_norm")
def tf_reductions(x, gamma, beta, epsilon):
    mean = tf.reduce_mean(x, 0)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), 0)
    return gamma * tf.math.rsqrt(variance + epsilon) * (x - mean) + beta


@style("batch_norm")
def tf_constants_of_single_precision(x, gamma, beta, epsilon):
    n = tf.constant(x.shape[0], tf.float32)
    mean = tf.reduce_sum(x, 0, keepdims=True) / n
    variance = tf.reduce_sum((x - mean) ** 2, 0, keepdims=True) / n
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@style("batch_norm")
@tf.function
def tf_graph(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, 0, keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@style("batch_norm")
def keras_layer(x, gamma, beta, epsilon):
    layer = keras.layers.BatchNormalization(epsilon=epsilon, dtype="float64")
    layer.build(x.shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    return layer(x, training=True)


@style("batch_norm_moving")
def updated_in_place(x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon):
    mean, variance = moving_mean.copy(), moving_variance.copy()
    if training:
        mean, variance = x.mean(0), x.var(0)
        moving_mean *= momentum
        moving_mean += (1 - momentum) * mean
        moving_variance -= (1 - momentum) * (moving_variance - variance)
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, moving_mean, moving_variance


@style("batch_norm_moving")
def with_rows_of_statistics(
    x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon
):
    mean, variance = moving_mean[None], moving_variance[None]
    if training:
        mean, variance = x.mean(0, keepdims=True), x.var(0, keepdims=True)
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_variance = momentum * moving_variance + (1 - momentum) * variance
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta, moving_mean, moving_variance


@style("batch_norm_moving")
def tf_with_assignments(x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon):
    averages = tf.Variable(moving_mean), tf.Variable(moving_variance)
    statistics = tf.nn.moments(x, [0]) if training else averages
    if training:
        for average, new in zip(averages, statistics, strict=True):
            average.assign_sub((average - new) * (1 - momentum))
    return tf.nn.batch_normalization(x, *statistics, beta, gamma, epsilon), *averages


@style("batch_norm_backward")
def through_the_graph(dy, x, gamma, epsilon):
    """Step by step, as in CS231n's notes."""
    n = len(x)
    centred = x - x.mean(0)
    variance = (centred**2).mean(0)
    std = np.sqrt(variance + epsilon)
    dx_hat = dy * gamma
    dstd = np.sum(dx_hat * centred, 0) * -1 / std**2
    dvariance = 0.5 * dstd / std
    dcentred = dx_hat / std + 2 / n * centred * dvariance
    dmean = -dcentred.sum(0)
    return dcentred + dmean / n, np.sum(dy * centred / std, 0), dy.sum(0)


@style("batch_norm_backward")
def as_in_the_paper(dy, x, gamma, epsilon):
    n, mean, variance = len(x), x.mean(0), x.var(0)
    dx_hat = dy * gamma
    dvariance = np.sum(dx_hat * (x - mean) * -0.5 * (variance + epsilon) ** -1.5, 0)
    dmean = np.sum(-dx_hat / np.sqrt(variance + epsilon), 0) + dvariance * np.mean(
        -2 * (x - mean), 0
    )
    dx = dx_hat / np.sqrt(variance + epsilon) + dvariance * 2 * (x - mean) / n + dmean / n
    x_hat = (x - mean) / np.sqrt(variance + epsilon)
    return dx, np.sum(dy * x_hat, 0, keepdims=True), np.sum(dy, 0, keepdims=True)


@style("batch_norm_backward")
def compact(dy, x, gamma, epsilon):
    n = x.shape[0]
    inv_std = (x.var(0) + epsilon) ** -0.5
    x_hat = (x - x.mean(0)) * inv_std
    dbeta, dgamma = dy.sum(0), (dy * x_hat).sum(0)
    return gamma * inv_std / n * (n * dy - dbeta - x_hat * dgamma), dgamma, dbeta


@style("batch_norm_backward")
def tf_tape(dy, x, gamma, epsilon):
    x, gamma = tf.convert_to_tensor(x), tf.convert_to_tensor(gamma)
    beta = tf.zeros_like(gamma)
    with tf.GradientTape() as tape:
        tape.watch([x, gamma, beta])
        y = tf_reductions(x, gamma, beta, epsilon)
    return tape.gradient(y, [x, gamma, beta], dy)


@style("layer_norm")
def by_example(x, gamma, beta, epsilon):
    return np.stack([gamma * (r - r.mean()) / np.sqrt(r.var() + epsilon) + beta for r in x])


@style("layer_norm")
def with_new_axes(x, gamma, beta, epsilon):
    mean, std = x.mean(-1), np.sqrt(x.var(-1) + epsilon)
    return (x - mean[:, np.newaxis]) / std[:, np.newaxis] * gamma + beta


@style("layer_norm")
def tf_last_axis(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + epsilon) * gamma + beta


@style("layer_norm_backward")
def by_the_jacobian(dy, x, gamma, epsilon):
    d = x.shape[1]
    inv_std = (x.var(1) + epsilon) ** -0.5
    x_hat = (x - x.mean(1)[:, None]) * inv_std[:, None]
    jacobian = np.eye(d) - 1 / d - np.einsum("ni,nj->nij", x_hat, x_hat) / d
    dx = np.einsum("n,nij,nj->ni", inv_std, jacobian, dy * gamma)
    return [dx, (dy * x_hat).sum(0), dy.sum(0)]


@style("weight_norm")
def by_column(v, g):
    return np.column_stack([g[c] * v[:, c] / np.linalg.norm(v[:, c]) for c in range(len(g))])


@style("weight_norm")
def guarded(v, g):
    return g * v / np.maximum(np.linalg.norm(v, axis=0, keepdims=True), 1e-12)


@style("weight_norm")
def tf_l2_normalize(v, g):
    return g * tf.math.l2_normalize(v, axis=0)


@style("weight_norm_backward")
def as_in_equation_3(dw, v, g):
    length = np.linalg.norm(v, axis=0)
    dg = np.sum(dw * v, 0) / length
    return g / length * dw - g * dg / length**2 * v, dg


@style("batch_norm_images")
def reshaped(x, gamma, beta, epsilon):
    rows = x.reshape(-1, x.shape[-1])
    return with_methods(rows, gamma, beta, epsilon).reshape(x.shape)


@style("batch_norm_images")
def channels_first_and_back(x, gamma, beta, epsilon):
    x = np.moveaxis(x, -1, 1)
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    y = (x - mean) / np.sqrt(variance + epsilon)
    y = gamma.reshape(1, -1, 1, 1) * y + beta.reshape(1, -1, 1, 1)
    return np.moveaxis(y, 1, -1)


@style("batch_norm_images")
def tf_images(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


@style("network_norm")
def with_moments(x, gamma, beta):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5)


@style("network_norm")
def network_rsqrt(x, gamma, beta):
    axes = list(range(1, len(x.shape)))
    centred = x - tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
    return gamma * centred * tf.math.rsqrt(variance + 1e-5) + beta
