"""The wrong batch norms are wrong in exactly the way that their names say."""

import numpy as np
import pytest
import tensorflow as tf

from normlib import layers, model, ops
from normlib.arm import Arm
from report.study import variants


def draw(*shape):
    return tf.constant(np.random.default_rng(len(shape)).normal(0.3, 1.5, shape), tf.float32)


@pytest.mark.parametrize("backward", variants.BROKEN)
def test_broken_backward_is_that_of_constant_statistics(backward):
    x, dy = draw(5, 3, 7, 4), tf.reverse(draw(5, 3, 7, 4), [0])
    layer = variants.BrokenBatchNormalization(backward, epsilon=1e-5)
    layer.build(x.shape)
    gamma, beta = draw(4), 2 * draw(4)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, gamma, beta])
        y = layer(x, training=True)
        _, mean, variance = ops.batch_norm(x, 1.0, 0.0, reduction_axes=(0, 1, 2))
        mean = tf.stop_gradient(mean) if "variance" not in backward else mean
        variance = tf.stop_gradient(variance) if "mean" not in backward else variance
        expected = ops.normalize(x, mean, variance, gamma, beta, epsilon=1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    found = tape.gradient(y, [x, layer.gamma.value, layer.beta.value], dy)
    wanted = tape.gradient(expected, [x, gamma, beta], dy)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_broken_batch_norm_computes_and_scores_as_the_right_one():
    x = draw(5, 3, 7, 4)
    right = layers.BatchNormalization(epsilon=1e-5, momentum=0.9)
    broken = variants.BrokenBatchNormalization("constant mean", epsilon=1e-5, momentum=0.9)
    for training in (True, False):
        np.testing.assert_array_equal(right(x, training=training), broken(x, training=training))


def test_the_published_batch_norm_standardizes_every_position_alone():
    x = draw(9, 3, 7, 4)
    layer = variants.PublishedBatchNormalization(1e-5)
    layer.build(x.shape)
    layer.gamma.assign([1.0, 2.0, 3.0, -1.0])
    layer.beta.assign([0.0, 1.0, 0.0, 5.0])
    expected = (x - np.mean(x, 0)) / np.sqrt(np.var(x, 0) + 1e-5) * [1, 2, 3, -1] + [0, 1, 0, 5]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)
    assert np.abs(layer(x) - layers.BatchNormalization(epsilon=1e-5)(x, training=True)).max() > 0.5


def test_the_published_weight_norm_has_one_g_a_kernel():
    network = model.build(Arm("weight", "published"), 0)
    shapes = [v.shape for v in network.trainable_variables if v.path.endswith("/g")]
    assert shapes == [()] * 3
