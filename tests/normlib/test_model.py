"""Arms and their networks."""

from dataclasses import asdict

import keras
import numpy as np
import pytest

from normlib import layers, model
from normlib.arm import VALID, Arm
from report.study import arms, experiments

PILOT = experiments.EXPERIMENTS["pilot"].arms


def kernels(network):
    return [v.numpy() for v in network.trainable_variables if v.path.endswith("kernel")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("norm", "bach"),
        ("implementation", "torch"),
        ("placement", "input"),
        ("init", "zeros"),
        ("backward", "wrong"),
        ("evaluation", "moving"),
        ("shuffle", "none"),
        ("scored_on", "train"),
        ("relu", "never"),
        ("profile", "fast"),
    ],
)
def test_unknown_name_is_an_error_that_lists_the_valid_ones(field, value):
    with pytest.raises(ValueError, match=VALID[field][-1]) as error:
        Arm(**{field: value})
    assert value in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "none", "implementation": "keras"}, "keras: batch, layer; published: batch, w"),
        ({"norm": "weight", "implementation": "keras"}, "has no norm='weight'"),
        ({"norm": "layer", "implementation": "folded"}, "folded: batch."),
        ({"norm": "batch", "implementation": "shared"}, "network='cnn' has no norm='batch' of"),
        ({"norm": "layer", "implementation": "keras", "network": "rnn"}, "layer, rms; shared: b"),
        ({"norm": "weight", "network": "rnn"}, "has no norm='weight'"),
        ({"norm": "rms"}, "has no norm='rms'"),
        ({"norm": "batch", "implementation": "folded", "relu": "before"}, "relu cannot be changed"),
        ({"norm": "batch", "network": "rnn", "backward": "constant mean"}, "backward cannot be"),
        ({"blocks": 9}, "blocks must be 1 to 8"),
        ({"norm": "layer", "evaluation": "batch"}, "settings of norm='batch'"),
        ({"norm": "none", "backward": "constant mean"}, "settings of norm='batch'"),
        (
            {"norm": "batch", "implementation": "keras", "backward": "constant mean"},
            "a setting of implementation='ours'",
        ),
        ({"profile": "quick", "dataset": "MNIST"}, "sample of dataset='Fashion-MNIST' alone"),
    ],
)
def test_what_does_not_exist_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        Arm(**settings)


def test_every_setting_that_a_figure_compares_changes_the_label():
    """Two arms with one label would be one line in it."""
    changed = {"placement": "hidden", "init": "he", "learning_rate": 0.1, "batch_size": 10,
               "ulps": 1, "relu": "before", "std": 1.0, "blocks": 4, 
               "backward": "constant mean", "evaluation": "batch", "shuffle": "buffer",
               "scored_on": "validation", "examples": 1000, "dataset": "MNIST"}  # fmt: skip
    labels = {Arm("batch", **{name: value}).label for name, value in changed.items()}
    assert len(labels | {Arm("batch").label}) == len(changed) + 1


def test_the_defaults_are_those_that_the_archive_was_made_with():
    """They are in no hash of the sources: see `provenance.sources`."""
    assert asdict(Arm()) == {
        "norm": "none", "implementation": "ours", "placement": "conv", "init": "normal",
        "learning_rate": 0.01, "momentum": 0.9, "batch_size": 100, "epochs": 4, "profile": "full",
        "ulps": 0, "source": "", "relu": "after", "std": 0.1, "blocks": 1, "backward": "right",
        "evaluation": "running", "shuffle": "full", "scored_on": "test", "examples": 0,
        "network": "cnn", "probe": "", "dataset": "Fashion-MNIST",
    }  # fmt: skip


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
