"""Keras's own tests of its normalization layers, run against ours: they ship in its wheel."""

import importlib

from keras.src import layers as keras_layers

from normlib import layers

NAMES = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization")
FILES = {
    "BatchNormalization": "batch_normalization_test",
    "LayerNormalization": "layer_normalization_test",
    "GroupNormalization": "group_normalization_test",
    "RMSNormalization": "rms_normalization_test",
}


class Ours:
    """`keras.layers` with our normalization layers in the places of Keras's."""

    def __getattr__(self, name):
        return getattr(layers if name in NAMES else keras_layers, name)


def suite(name: str) -> type:
    """Keras's test class of a layer, its `layers` replaced by ours."""
    module = importlib.import_module(f"keras.src.layers.normalization.{FILES[name]}")
    module.layers = Ours()
    return getattr(module, f"{name}Test")


BatchNormalizationTest = suite("BatchNormalization")
LayerNormalizationTest = suite("LayerNormalization")
GroupNormalizationTest = suite("GroupNormalization")
RMSNormalizationTest = suite("RMSNormalization")


def test_the_suites_use_our_layers():
    for name in NAMES:
        used = getattr(importlib.import_module(suite(name).__module__).layers, name)
        assert used is getattr(layers, name) and used is not getattr(keras_layers, name)
