"""Arms and their networks."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from normlib import layers, model
from normlib.arm import Arm
from report.study import arms, experiments

PILOT = experiments.EXPERIMENTS["pilot"].arms


def kernels(network):
    return [v.numpy() for v in network.trainable_variables if v.path.endswith("kernel")]


def test_every_arm_has_its_own_label():
    assert len({arm.label for arm in PILOT}) == len(PILOT) == 8


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


OF_IMAGES = {  # axes of the mean, and gamma's shape, of (N, 28, 28, 30)
    Arm("layer"): ((1, 2, 3), (28, 28, 30)),
    Arm("layer", per="channel"): ((1, 2, 3), (30,)),
    Arm("layer", per="pixel"): ((3,), (30,)),
    Arm("group"): ((1, 2, 4), (30,)),  # of channels as 6 groups of 5
}


@pytest.mark.parametrize("implementation", ["ours", "keras"])
@pytest.mark.parametrize("arm", OF_IMAGES, ids=lambda arm: arm.mode)
def test_what_an_arm_averages_after_the_convolution(arm, implementation):
    """Against NumPy, from a mean and a spread that differ by image, pixel and channel."""
    axes, shape = OF_IMAGES[arm]
    layer = model.build(replace(arm, implementation=implementation), 0).layers[1]
    assert layer.gamma.shape == layer.beta.shape == shape and layer.epsilon == 1e-5
    rng = np.random.default_rng(0)
    gamma, beta = rng.random(shape) + 0.5, rng.normal(size=shape)
    layer.set_weights([gamma, beta])
    x = np.float32(rng.normal(3, 2, (5, 28, 28, 30)) * rng.random((5, 1, 28, 30)))
    split = x.reshape(5, 28, 28, 6, 5) if arm.norm == "group" else x
    centred = split - split.mean(axes, keepdims=True)
    x_hat = centred / np.sqrt((centred**2).mean(axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer(x), gamma * x_hat.reshape(x.shape) + beta, atol=2e-5)


def test_layer_norm_per_channel_at_both_places():
    first, _, _, _, _, second, *_ = model.build(
        Arm("layer", placement="both", per="channel"), 0
    ).layers[1:]
    assert first.gamma.shape == (30,) and second.gamma.shape == (100,)


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
