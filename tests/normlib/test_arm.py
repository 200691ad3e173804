"""An arm's settings: what is refused, in one sentence, and what it is called."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from normlib.arm import IMAGES, VALID, Arm
from normlib.data import SOURCES, load


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
        ("per", "row"),
        ("schedule", "linear"),
    ],
)
def test_unknown_name_is_an_error_that_lists_the_valid_ones(field, value):
    with pytest.raises(ValueError, match=VALID[field][-1]) as error:
        Arm(**{field: value})
    assert value in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "none", "implementation": "keras"}, "keras: batch, layer, group; published"),
        ({"norm": "weight", "implementation": "keras"}, "has no norm='weight'"),
        ({"norm": "group", "implementation": "free"}, "free: none, batch, layer, weight."),
        ({"norm": "batch", "implementation": "shared"}, "network='cnn' has no norm='batch' of"),
        ({"norm": "layer", "implementation": "keras", "network": "rnn"}, "layer, rms; shared: b"),
        ({"norm": "weight", "network": "rnn"}, "has no norm='weight'"),
        ({"norm": "rms"}, "has no norm='rms'"),
        ({"norm": "batch", "implementation": "free", "relu": "before"}, "relu cannot be changed"),
        ({"implementation": "free", "probe": "sharpness"}, "probe cannot be changed"),
        ({"norm": "layer", "implementation": "free", "per": "pixel"}, "does not go with"),
        (
            {"norm": "batch", "implementation": "free", "backward": "constant mean"},
            "backward can be changed for impl",
        ),
        ({"norm": "batch", "implementation": "free", "network": "rnn"}, "has no norm='batch' of"),
        ({"norm": "batch", "network": "rnn", "backward": "constant mean"}, "backward cannot be"),
        ({"blocks": 9}, "blocks must be 1 to 8"),
        ({"norm": "layer", "evaluation": "batch"}, "for norm='batch' only"),
        ({"norm": "none", "backward": "constant mean"}, "for norm='batch' only"),
        (
            {"norm": "batch", "implementation": "keras", "backward": "constant mean"},
            "for implementation='ours' only",
        ),
        ({"norm": "batch", "per": "pixel"}, "per needs norm='layer' and placement='conv'"),
        ({"norm": "layer", "placement": "hidden", "per": "channel"}, "per needs norm="),
        ({"norm": "layer", "network": "rnn", "per": "channel"}, "per cannot be changed"),
        ({"norm": "group", "placement": "both"}, "norm='group' needs placement='conv'"),
        ({"profile": "quick", "dataset": "MNIST"}, "needs dataset='Fashion-MNIST'"),
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
               "scored_on": "validation", "examples": 1000, "dataset": "MNIST",
               "schedule": "cosine"}  # fmt: skip
    labels = {Arm("batch", **{name: value}).label for name, value in changed.items()}
    assert len(labels | {Arm("batch").label}) == len(changed) + 1


def test_the_readings_of_layer_norm_are_told_apart():
    modes = {per: Arm("layer", "keras", "both", per=per).mode for per in VALID["per"]}
    assert modes["element"] == "TensorFlow's LN (both)"
    assert modes["channel"] == "TensorFlow's LN (both, per channel)"
    assert Arm("layer", per="pixel").mode == "our LN (per pixel)"
    assert Arm("group").mode == "our GN"
    assert Arm("layer", "free", per="channel").mode == "free LN (per channel)"


def test_an_arm_by_the_shortcut_is_told_apart():
    plain = [Arm(norm) for norm in ("none", "batch", "layer", "weight")]
    free = [replace(arm, implementation="free") for arm in plain]
    assert len({arm.label for arm in plain + free}) == 8


def test_the_defaults_are_those_that_the_archive_was_made_with():
    """They are in no hash of the sources: see `report/study/provenance.py`."""
    assert asdict(Arm()) == {
        "norm": "none", "implementation": "ours", "placement": "conv", "init": "normal",
        "learning_rate": 0.01, "momentum": 0.9, "batch_size": 100, "epochs": 4, "profile": "full",
        "ulps": 0, "source": "", "relu": "after", "std": 0.1, "blocks": 1, "backward": "right",
        "evaluation": "running", "shuffle": "full", "scored_on": "test", "examples": 0,
        "network": "cnn", "probe": "", "dataset": "Fashion-MNIST", "per": "element",
        "schedule": "constant",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number, 1 or more; received 0"),
        ({"batch_size": 10.5}, "batch_size must be a whole number"),
        ({"batch_size": 2001, "profile": "quick"}, "batch_size must be at most 2000; received"),
        ({"batch_size": 200, "examples": 150}, "batch_size must be at most 150"),
        ({"batch_size": 60_000, "scored_on": "validation"}, "batch_size must be at most 55000"),
        ({"learning_rate": "a"}, "learning_rate must be a finite number, 0 or more; received 'a'"),
        ({"learning_rate": -0.1}, "learning_rate must be a finite number, 0 or more"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number, 0 or more"),
        ({"learning_rate": float("inf")}, "learning_rate must be a finite number, 0 or more"),
        ({"learning_rate": None}, "learning_rate must be a finite number, 0 or more"),
        ({"momentum": 1.0}, "momentum must be a number from 0 to below 1; received 1.0"),
        ({"momentum": float("nan")}, "momentum must be"),
        ({"std": -1.0}, "std must be a finite number, 0 or more"),
        ({"epochs": 0}, "epochs must be a whole number, 1 or more"),
        ({"epochs": True}, "epochs must be a whole number, 1 or more; received True"),
        ({"examples": -1}, "examples must be a whole number, 0 for all images"),
        ({"examples": 60_001}, "examples must be at most 60000; received 60001"),
        ({"blocks": 0}, "blocks must be 1 to 8"),
        ({"ulps": 0.5}, "ulps must be a whole number"),
    ],
)
def test_what_cannot_train_is_one_sentence(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        Arm(**settings)
    assert "\n" not in str(error.value)


def test_numpys_numbers_are_pythons():
    arm = Arm(batch_size=np.int64(50), learning_rate=np.float64(0.1), epochs=np.int32(2), std=1)
    assert arm == Arm(batch_size=50, learning_rate=0.1, epochs=2, std=1.0)
    kinds = {name: type(value) for name, value in asdict(arm).items()}
    assert kinds["batch_size"] is int and kinds["learning_rate"] is kinds["std"] is float


def test_it_knows_how_many_images_there_are():
    assert len(load("quick").train_labels) == IMAGES["quick"] == Arm(profile="quick").images
    assert Arm(examples=7, batch_size=7).images == 7
    assert Arm(scored_on="validation").images == 55_000


def test_an_arm_of_many_images_has_a_quick_one():
    assert Arm(examples=10_000).quick() == Arm(profile="quick")
    assert Arm(examples=500).quick() == replace(Arm(examples=500), profile="quick")


def test_every_data_set_that_an_arm_can_name_has_a_source():
    assert VALID["dataset"] == tuple(SOURCES)
