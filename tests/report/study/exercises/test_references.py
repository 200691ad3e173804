"""The references without mistakes, against the lab's own ops and automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf

from normlib import ops
from report.study.exercises.catalogue import EXERCISES


def slopes(function, dy, *tensors):
    """The tape's gradients of sum(dy * y)."""
    tensors = [tf.constant(t) for t in tensors]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
    return tape.gradient(y, tensors, tf.constant(dy))


def batch_norm_moving(x, gamma, beta, mean, variance, training, momentum, epsilon):
    if not training:
        return ops.normalize(x, mean, variance, gamma, beta, epsilon=epsilon), mean, variance
    y, *new = ops.batch_norm(x, gamma, beta, reduction_axes=0, epsilon=epsilon)
    old = (mean, variance)
    averages = (ops.moving_average(m, n, momentum=momentum) for m, n in zip(old, new, strict=True))
    return y, *(average[0] for average in averages)


def norm(op, axes):
    def call(x, gamma, beta, epsilon):
        return op(x, gamma, beta, reduction_axes=axes, epsilon=epsilon)[:1]

    return call


def norm_backward(op, axes):
    def call(dy, x, gamma, epsilon):
        forward = norm(op, axes)
        return slopes(lambda *t: forward(*t, epsilon)[0], dy, x, gamma, np.zeros_like(gamma))

    return call


def weight_norm(v, g):
    return ops.weight_norm(v, g, reduction_axes=0)


def network_norm(x, gamma, beta, dy):
    layer_norm = norm(ops.layer_norm, 1)
    y = layer_norm(x, gamma, beta, 1e-5)[0]
    return y, *slopes(lambda *t: layer_norm(*t, 1e-5)[0], dy, x, gamma, beta)


LAB = {
    "batch_norm": norm(ops.batch_norm, 0),
    "batch_norm_moving": batch_norm_moving,
    "batch_norm_backward": norm_backward(ops.batch_norm, 0),
    "layer_norm": norm(ops.layer_norm, 1),
    "layer_norm_backward": norm_backward(ops.layer_norm, 1),
    "weight_norm": lambda v, g: (weight_norm(v, g),),
    "weight_norm_backward": lambda dw, v, g: slopes(weight_norm, dw, v, g),
    "batch_norm_images": norm(ops.batch_norm, (0, 1, 2)),
    "network_norm": network_norm,
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_is_the_labs(name):
    exercise = EXERCISES[name]
    for given in exercise.inputs(5):
        expected = LAB[name](*given)
        for found, value in zip(exercise.right(given), expected, strict=True):
            assert found.shape == value.shape
            size = max(1.0, np.abs(value).max())
            np.testing.assert_allclose(found / size, value / size, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", EXERCISES)
def test_what_holds_of_right_outputs_is_said_to_hold(name):
    exercise = EXERCISES[name]
    for given in exercise.inputs(6):
        named = dict(zip(exercise.arguments, given, strict=True))
        right = dict(zip(exercise.outputs, exercise.right(given), strict=True))
        assert all(known.holds(named, right, right) for known in exercise.properties)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_property_fails_of_something(name):
    """One that held of all mistakes would say nothing."""
    exercise, fails = EXERCISES[name], set()
    for fault in exercise.faults:
        for given in exercise.inputs(0):
            named = dict(zip(exercise.arguments, given, strict=True))
            right = dict(zip(exercise.outputs, exercise.right(given), strict=True))
            found = dict(zip(exercise.outputs, exercise.right(given, fault), strict=True))
            with np.errstate(all="ignore"):
                fails |= {p.says for p in exercise.properties if not p.holds(named, found, right)}
    assert fails >= {p.says for p in exercise.properties[1:]}
