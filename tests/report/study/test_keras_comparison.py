"""The measures of notebook 04, on cases whose answer is known."""

import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from normlib import layers
from report.study import keras_comparison


def test_difference_counts_units_in_the_last_place_of_the_largest_value():
    expected = np.array([1.0, -3.0], "float32")
    found = expected + np.array([3 * 2.0**-22, 0], "float32")
    measured = keras_comparison.difference(found, expected)
    assert measured["ulp"] == 3  # of numbers between 2 and 4
    assert measured["max abs"] == pytest.approx(3 * 2.0**-22)
    assert measured["relative"] == pytest.approx(2.0**-22)


def test_evaluate_differs_between_layers_and_not_between_runs():
    shape = (4, 3, 2)
    one, again, other = (
        keras_comparison.evaluate(layers.LayerNormalization(epsilon=epsilon), shape)
        for epsilon in (1e-3, 1e-3, 1.0)
    )
    assert list(one) == ["y", "dx", "dgamma", "dbeta"]
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
    assert np.abs(one["y"] - other["y"]).max() > 1e-3


def test_offset_errors_see_cancellation():
    errors = keras_comparison.offset_errors("float32", np.array([1.0, 1e4]))
    assert errors.loc[1.0].max() < 1e-5
    assert errors.loc[1e4, "Keras, synchronized"] > 1 > 1e-2 > errors.loc[1e4, "ours"]


def test_euler_error_of_a_network_that_is_not_scale_invariant_is_large():
    w = np.random.default_rng(0).normal(size=(3, 2))
    assert keras_comparison.euler_error(lambda w: np.ones((4, 3)) @ w, w) > 0.1


def test_fused_is_keras_s_batch_normalization():
    x = np.random.default_rng(0).normal(3, 2, (5, 4, 3, 2)).astype("float32")
    expected = keras.layers.BatchNormalization()(x, training=True)
    np.testing.assert_allclose(keras_comparison.fused(x), expected, atol=1e-5)


def test_keras_tests_that_cannot_be_run_say_why(monkeypatch):
    monkeypatch.setattr(keras_comparison, "sys", SimpleNamespace(executable=shutil.which("ls")))
    with pytest.raises(
        RuntimeError, match=r"Keras's tests could not be run. .*unrecognized option"
    ):
        keras_comparison.conformance()
