"""Keras's own tests of its normalization layers, run against ours: they ship in its wheel."""

import importlib
import unittest

import pytest
from keras.src import layers as keras_layers

from normlib import layers

FILES = {
    "BatchNormalization": "batch_normalization_test",
    "LayerNormalization": "layer_normalization_test",
    "GroupNormalization": "group_normalization_test",
    "RMSNormalization": "rms_normalization_test",
}


class Ours:
    """`keras.layers` with our normalization layers in the places of Keras's."""

    def __getattr__(self, name):
        return getattr(layers if name in FILES else keras_layers, name)


def suite(name: str) -> type:
    """Keras's test class of a layer, its `layers` replaced by ours."""
    module = importlib.import_module(f"keras.src.layers.normalization.{FILES[name]}")
    module.layers = Ours()
    return getattr(module, f"{name}Test")


BatchNormalizationTest = suite("BatchNormalization")
LayerNormalizationTest = suite("LayerNormalization")
GroupNormalizationTest = suite("GroupNormalization")
RMSNormalizationTest = suite("RMSNormalization")


@pytest.mark.parametrize("name", FILES)
def test_a_fault_in_our_layer_fails_its_suite(name, monkeypatch):
    """As it would not if the suite came to Keras's layer by another way."""

    def faulty(*_, **__):
        raise ArithmeticError("a fault in our layer")

    monkeypatch.setattr(layers, name, faulty)
    result = unittest.defaultTestLoader.loadTestsFromTestCase(suite(name)).run(
        unittest.TestResult()
    )
    assert any("a fault in our layer" in trace for _, trace in result.errors)
