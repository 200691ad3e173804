"""Arms and their networks."""

import keras
import numpy as np
import pytest

from normlib import layers, model
from normlib.arm import Arm
from report.study import arms, experiments

PILOT = experiments.EXPERIMENTS["pilot"].arms


def kernels(network):
    return [v.numpy() for v in network.trainable_variables if v.path.endswith("kernel")]


def test_every_arm_has_its_own_name_and_label():
    assert len({arm.name for arm in PILOT}) == len({arm.label for arm in PILOT}) == len(PILOT) == 8


@pytest.mark.parametrize("arm", PILOT, ids=lambda arm: arm.label)
def test_arms_share_the_kernels_of_a_seed(arm):
    ours, baseline = kernels(model.build(arm, 5)), kernels(model.build(arms.NONE, 5))
    assert len(ours) == 3
    for mine, other in zip(ours, baseline, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_seeds_and_kernels_draw_different_weights():
    first, second = kernels(model.build(arms.NONE, 0)), kernels(model.build(arms.NONE, 1))
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[1].ravel()[:50], first[2].ravel()[:50])


@pytest.mark.parametrize(
    ("init", "std"),
    [("normal", [0.1, 0.1, 0.1]), ("he", [(2 / n) ** 0.5 for n in (25, 5880, 100)])],
)
def test_initial_standard_deviation(init, std):
    for kernel, expected in zip(kernels(model.build(Arm(init=init), 2)), std, strict=True):
        assert abs(kernel.std() / expected - 1) < 4 / np.sqrt(2 * kernel.size)


@pytest.mark.parametrize(
    ("placement", "after"),
    [("conv", ["Conv2D"]), ("hidden", ["Dense"]), ("both", ["Conv2D", "Dense"])],
)
@pytest.mark.parametrize("norm", ["batch", "layer"])
@pytest.mark.parametrize("implementation", ["ours", "keras"])
def test_norms_sit_where_the_placement_says(norm, implementation, placement, after):
    network = model.build(Arm(norm, implementation, placement), 0)
    library = layers if implementation == "ours" else keras.layers
    kind = getattr(library, {"batch": "BatchNormalization", "layer": "LayerNormalization"}[norm])
    names = [type(layer).__name__ for layer in network.layers]
    places = [i for i, layer in enumerate(network.layers) if type(layer) is kind]
    assert [names[i - 1] for i in places] == after
    following = {"conv": ["MaxPooling2D"], "hidden": ["ReLU"]}
    following["both"] = following["conv"] + following["hidden"]
    assert [names[i + 1] for i in places] == following[placement]
    assert all(network.layers[i].epsilon == 1e-5 for i in places)


def test_layer_norm_after_the_convolution_has_a_gamma_for_every_feature():
    layer = model.build(arms.OUR_LN, 0).layers[1]
    assert layer.gamma.shape == (28, 28, 30)


def test_batch_norm_uses_the_labs_momentum():
    for arm in (arms.OUR_BN, arms.KERAS_BN):
        assert model.build(arm, 0).layers[1].momentum == 0.9


def test_weight_norm_wraps_all_three_kernels():
    kinds = [type(layer).__name__ for layer in model.build(arms.OUR_WN, 0).layers]
    assert kinds.count("WeightNormalization") == 3


def test_relu_before_the_norm():
    names = [type(layer).__name__ for layer in model.build(Arm("batch", relu="before"), 0).layers]
    assert names[:4] == ["Conv2D", "ReLU", "BatchNormalization", "MaxPooling2D"]


def test_further_blocks_have_a_norm_and_weights_of_their_own():
    network = model.build(Arm("layer", blocks=3), 0)
    assert sum(type(layer).__name__ == "LayerNormalization" for layer in network.layers) == 3
    _, second, third, *_ = (k for k in kernels(network) if k.ndim == 4)
    assert second.shape == third.shape and not np.array_equal(second, third)
