"""The ops against NumPy in float64, Keras, and the identities that define them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples import uneven

from normlib import ops

SHAPES = [(7, 5), (4, 5, 6, 3)]


def oracle(x, gamma, beta, axes, epsilon):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_batch_norm_matches_float64_numpy(shape, dtype, rtol):
    x, gamma, beta = uneven(0, *shape), uneven(1, shape[-1]), uneven(2, shape[-1])
    axes = tuple(range(len(shape) - 1))
    arguments = (tf.constant(value, dtype) for value in (x, gamma, beta))
    y, mean, variance = ops.batch_norm(*arguments, reduction_axes=axes, epsilon=0.1)
    scale = np.abs(y).max()
    np.testing.assert_allclose(y, oracle(x, gamma, beta, axes, 0.1), rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(np.ravel(mean), x.mean(axes), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(np.ravel(variance), x.var(axes), rtol=rtol)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_layer_norm_matches_float64_numpy(shape, dtype, rtol):
    x, gamma, beta = uneven(0, *shape), uneven(1, *shape[1:]), uneven(2, *shape[1:])
    axes = tuple(range(1, len(shape)))
    arguments = (tf.constant(value, dtype) for value in (x, gamma, beta))
    y, mean, variance = ops.layer_norm(*arguments, reduction_axes=axes, epsilon=0.1)
    scale = np.abs(y).max()
    np.testing.assert_allclose(y, oracle(x, gamma, beta, axes, 0.1), rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(mean, x.mean(axes, keepdims=True), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(variance, x.var(axes, keepdims=True), rtol=rtol)


def test_batch_norm_output_has_exactly_the_variance_that_epsilon_leaves():
    x, epsilon = uneven(3, 50, 4), 2.0
    y, _, variance = ops.batch_norm(x, 1.0, 0.0, reduction_axes=(0,), epsilon=epsilon)
    expected = (variance / (variance + epsilon))[0]
    np.testing.assert_allclose(np.var(y, 0), expected, rtol=1e-12)


def test_variance_survives_a_mean_of_ten_thousand():
    x = (uneven(4, 1000, 3) + 1e4).astype("float32")
    *_, variance = ops.batch_norm(x, 1.0, 0.0, reduction_axes=(0,))
    # sum(x**2)/n - mean**2 would be wrong by about 1e8 * 6e-8 = 6, more than the variance.
    np.testing.assert_allclose(variance[0], x.astype("float64").var(0), rtol=1e-2)


def test_constant_channel_gives_beta():
    x = np.full((6, 3), 1e6, "float32")
    beta = np.array([1, -2, 3], "float32")
    y, _, _ = ops.batch_norm(x, 5.0, beta, reduction_axes=(0,), epsilon=1e-5)
    np.testing.assert_array_equal(y, np.broadcast_to(beta, x.shape))


def test_batch_norm_ignores_a_preceding_bias_and_layer_norm_does_not():
    x, bias = uneven(5, 8, 3), uneven(6, 3)
    before, after = (
        ops.batch_norm(v, 1.0, 0.0, reduction_axes=(0,), epsilon=1e-3)[0] for v in (x, x + bias)
    )
    np.testing.assert_allclose(before, after, rtol=1e-9, atol=1e-12)
    lower, upper = (ops.layer_norm(v, 1.0, 0.0, reduction_axes=(1,))[0] for v in (x, x + bias))
    assert np.max(np.abs(lower - upper)) > 0.1


def test_layer_norm_of_an_example_ignores_its_neighbours_and_batch_norm_does_not():
    x = uneven(7, 6, 5)
    alone, together = (ops.layer_norm(v, 1.0, 0.0, reduction_axes=(1,))[0] for v in (x[2:3], x))
    np.testing.assert_array_equal(together[2:3], alone)
    few, many = (ops.batch_norm(v, 1.0, 0.0, reduction_axes=(0,))[0][:3] for v in (x[:3], x))
    assert np.max(np.abs(few - many)) > 0.1


def test_layer_norm_ignores_scale_and_shift_of_an_example():
    x, scales = uneven(8, 6, 5), np.linspace(0.3, 7, 6)[:, None]
    plain, moved = (
        ops.layer_norm(v, 1.0, 0.0, reduction_axes=(1,), epsilon=0.0)[0]
        for v in (x, scales * x - 3)
    )
    np.testing.assert_allclose(plain, moved, rtol=1e-9, atol=1e-12)


def test_moving_average_weights_the_old_value_by_momentum():
    np.testing.assert_allclose(ops.moving_average(10.0, 20.0, momentum=0.9), 11.0, rtol=1e-6)


@pytest.mark.parametrize("shape", [(7, 5), (3, 2, 4, 5)])
def test_weight_norm_gives_every_unit_the_length_g(shape):
    v, g = uneven(9, *shape), uneven(10, shape[-1])
    axes = tuple(range(len(shape) - 1))
    w = ops.weight_norm(v, g, reduction_axes=axes)
    np.testing.assert_allclose(w, g * v / np.sqrt((v**2).sum(axes)), rtol=1e-12)
    np.testing.assert_allclose(
        np.ravel(ops.direction(w, reduction_axes=axes)[1]), np.abs(g), rtol=1e-12
    )
    np.testing.assert_allclose(ops.weight_norm(7 * v, g, reduction_axes=axes), w, rtol=1e-12)


def test_weight_norm_gradient_is_orthogonal_to_v():
    v, g, upstream = tf.constant(uneven(11, 7, 5)), uneven(12, 5), uneven(13, 7, 5)
    with tf.GradientTape() as tape:
        tape.watch(v)
        loss = tf.reduce_sum(ops.weight_norm(v, g, reduction_axes=(0,)) * upstream)
    gradient = tape.gradient(loss, v)
    assert np.abs(gradient).max() > 0.01
    np.testing.assert_allclose(np.sum(v * gradient, 0), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "axis"), [("BatchNormalization", -1), ("LayerNormalization", [1, 2, 3])]
)
def test_the_op_is_normalize_of_its_own_statistics_and_keras(name, axis):
    x = tf.constant(uneven(14, 4, 5, 6, 3))
    axes = (0, 1, 2) if axis == -1 else (1, 2, 3)
    gamma, beta = 1.5, -0.5
    op = ops.batch_norm if axis == -1 else ops.layer_norm
    y, mean, variance = op(x, gamma, beta, reduction_axes=axes, epsilon=1e-3)
    expected = ops.normalize(x, mean, variance, gamma, beta, epsilon=1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    layer = getattr(keras.layers, name)(axis=axis, dtype="float64")
    layer.build(x.shape)
    for weight, value in zip(layer.trainable_variables, (gamma, beta), strict=True):
        weight.assign(np.full(weight.shape, value))
    np.testing.assert_allclose(layer(x, training=True), expected, rtol=1e-9, atol=1e-11)
