"""Wrong arguments: each a ValueError that says the rule, what came, and a fix."""

import numpy as np
import pytest
import tensorflow as tf
from samples import uneven

from normlib import gradients, ops

X = tf.constant(uneven(0, 4, 5, 6))
ONES = tf.ones(6, tf.float64)

WRONG = [
    ("batch_norm", (tf.ones((4, 6), tf.int32), 1.0, 0.0), {"reduction_axes": 0},
     "floating-point numbers; received int32. Cast"),
    ("batch_norm", (X, ONES, ONES), {"reduction_axes": 3}, "between -3 and 2 .* received (3,)"),
    ("layer_norm", (X, ONES, ONES), {"reduction_axes": (1, -2)}, "distinct"),
    ("batch_norm", (X, ONES, ONES), {"reduction_axes": (1, 2)}, "one value a channel"),
    ("batch_norm", (X, ONES[:5], ONES), {"reduction_axes": (0, 1)},
     "gamma must broadcast against x of shape (4, 5, 6); received shape (5,). Give"),
    ("layer_norm", (X, ONES, tf.ones((2, 4, 5, 6))), {"reduction_axes": 2}, "beta must broadcast"),
    ("rms_norm", (X, ONES[:4]), {"reduction_axes": -1}, "gamma must broadcast"),
    ("mean_only_batch_norm", (X, ONES[:4]), {"reduction_axes": (0, 1)}, "beta must broadcast"),
    ("group_norm", (X, ONES, ONES), {"groups": 4}, "groups must divide .* groups=4 and 6 channels"),
    ("group_norm", (X, ONES, ONES), {"groups": 0}, "groups must divide"),
    ("group_norm", (X[0, 0], ONES, ONES), {"groups": 2}, "at least 2 axes; received shape (6,)"),
    ("instance_norm", (X[0], ONES, ONES), {}, "at least 3 axes"),
    ("weight_norm", (X, ONES), {"reduction_axes": (0, 1, 2)}, "g must have length 1"),
    ("weight_norm", (X, ONES[:5]), {"reduction_axes": (0, 1)}, "g must broadcast"),
    ("instance_norm", (X, ONES, ONES), {"axis": 7}, "between -3 and 2"),
    ("group_norm", (X, ONES[:5], ONES), {"groups": 2}, "each of the 6 channels"),
    ("batch_norm", (X, ONES, X), {"reduction_axes": (0, 1)}, "beta must have length 1"),
    ("normalize", (X[:1], X, X, ONES, ONES), {"epsilon": 0.1}, "mean must broadcast"),
    ("layer_norm", (X[:, :, :1], [1.0, 2.0, 3.0], 0.0), {"reduction_axes": 1}, "gamma must broad"),
    ("batch_norm", (X, [[1.0]] * 5, ONES), {"reduction_axes": (0, 1)}, "gamma must have length 1"),
    ("group_norm", (X, [1.0, 1.0], ONES), {"groups": 2}, "each of the 6 channels"),
    ("group_norm", (X, ONES, ONES), {"groups": 2.0}, "groups must divide"),
    ("layer_norm", (X, ONES, ONES), {"reduction_axes": None}, "distinct whole numbers"),
    ("layer_norm", (X, ONES, ONES), {"reduction_axes": 1.0}, "distinct whole numbers"),
    ("batch_norm", (X, ONES, ONES), {"reduction_axes": (0, 1), "weights": ONES[:5]},
     "weights must broadcast"),
    ("weight_norm", (tf.ones((2, 3), tf.int64), 1.0), {"reduction_axes": 0}, "v must hold"),
]  # fmt: skip


@pytest.mark.parametrize("module", [ops, gradients], ids=["ops", "gradients"])
@pytest.mark.parametrize(("op", "arguments", "options", "message"), WRONG)
def test_wrong_arguments(module, op, arguments, options, message):
    pattern = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=pattern):
        getattr(module, op)(*arguments, **options)


def test_numbers_and_integers_take_the_type_of_x():
    x = X[0]
    exact, *_ = ops.layer_norm(x, tf.constant(0.1, tf.float64), 0.0, reduction_axes=-1)
    found, *_ = ops.layer_norm(x, 0.1, 0.0, reduction_axes=np.int64(1))
    np.testing.assert_array_equal(found, exact)
    exact = ops.group_norm(x, tf.constant(0.1, tf.float64), 0.0, groups=2)
    np.testing.assert_array_equal(ops.group_norm(x, 0.1, 0.0, groups=2), exact)
    whole = ops.mean_only_batch_norm(tf.cast(x, "float32"), np.arange(6), reduction_axes=0)[0]
    assert whole.dtype == tf.float32 and np.any(whole % 1 != 0)


def test_no_axes_at_all_is_no_average():
    x = tf.constant([3.0, -1.0])
    y, mean, _ = gradients.batch_norm(x, tf.ones(2), tf.ones(2), reduction_axes=())
    np.testing.assert_array_equal(y, [1, 1])
    np.testing.assert_array_equal(mean, x)


def test_arrays_are_taken_as_tensors():
    x = np.asarray(X)
    for module in (ops, gradients):
        y = module.rms_norm(x, np.ones(6), reduction_axes=-1)
        assert y.dtype == tf.float64


def test_a_list_is_as_good_as_a_tensor():
    gamma, beta = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5] * 6
    expected = ops.group_norm(X, tf.constant(gamma), tf.constant(beta), groups=3)
    np.testing.assert_array_equal(ops.group_norm(X, gamma, beta, groups=3), expected)
