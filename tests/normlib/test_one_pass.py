"""What makes training fast changes nothing: fused expressions, and pooling before ReLU."""

import numpy as np
import pytest
import tensorflow as tf

from normlib import arithmetic, data, gradients

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def images(height, width, dtype):
    """Corners of real images, whose flat background ties in most windows."""
    left = (28 - width) // 2
    return tf.cast(data.load("quick").test_images[:17, :height, left : left + width], dtype)


def weights(dtype, *shapes):
    rng = np.random.default_rng(3)
    return [tf.constant(rng.normal(0.2, 0.4, shape), dtype) for shape in shapes]


def close(mine, theirs, dtype):
    mine, theirs = (np.asarray(t, np.float64) for t in (mine, theirs))
    assert np.linalg.norm(mine - theirs) <= TOLERANCE[dtype] * np.linalg.norm(theirs)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_pooling_before_relu_is_the_same_function_with_the_same_gradient(dtype):
    """Where elements tie, too: both pay the first maximum."""
    kernel, bias, dy = weights(dtype, (5, 5, 1, 7), (7,), (17, 14, 14, 7))
    activations = tf.nn.conv2d(images(28, 28, dtype), kernel, 1, "SAME") + bias
    before, after = (
        differentiated(function, dy, activations)
        for function in (
            lambda h: tf.nn.relu(tf.nn.max_pool2d(h, 2, 2, "VALID")),
            lambda h: tf.nn.max_pool2d(tf.nn.relu(h), 2, 2, "VALID"),
        )
    )
    for mine, theirs in zip(before, after, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def differentiated(function, dy, *tensors):
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
    return [y, *tape.gradient(y, tensors, dy)]


def test_most_windows_of_real_images_tie():
    """Else the test above would not see which of equal maxima is paid."""
    x = images(28, 28, "float32")
    corners = tf.stack([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    ties = tf.reduce_sum(tf.cast(corners == tf.reduce_max(corners, 0), tf.int32), 0) > 1
    assert np.mean(ties) > 0.3


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_compiled_expressions_equal_the_written_ones(dtype):
    """Compiled in a graph, plain in eager: BN and LN and WN forward and backward, odd sizes."""
    x, gamma, beta, dy = weights(dtype, (5, 3, 7, 6), (6,), (6,), (5, 3, 7, 6))
    wide = weights(dtype, (3, 7, 6), (3, 7, 6))

    def batch(x, gamma, beta):
        return gradients.batch_norm(x, gamma, beta, reduction_axes=(0, 1, 2))[0]

    def layer(x, gamma, beta):
        return gradients.layer_norm(x, gamma, beta, reduction_axes=(1, 2, 3))

    def weight(v, g):
        return gradients.weight_norm(v, g, reduction_axes=(0, 1, 2))

    for function, tensors in [(batch, (x, gamma, beta)), (layer, (x, *wide)), (weight, (x, gamma))]:
        eager = differentiated(function, dy, *tensors)
        with arithmetic.xla():
            compiled = differentiated(tf.function(function), dy, *tensors)
        for mine, theirs in zip(compiled, eager, strict=True):
            close(mine, theirs, dtype)
