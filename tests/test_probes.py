"""What is measured on the way is right, and measuring it changes nothing."""

from dataclasses import replace

import numpy as np
import pytest

from normlib import data, probes, probing, train
from normlib.arms import VALID, Arm

ARM = Arm("batch", profile="quick", batch_size=50, examples=150, epochs=4)  # 12 steps


@pytest.fixture(scope="module")
def trainer():
    return train.Trainer(ARM, 0, data.images(ARM))


def test_every_probe_is_one_that_an_arm_can_name():
    assert {"", *probes.PROBES} == set(VALID["probe"])
    assert {arm.probe for e in probing.EXPERIMENTS.values() for arm in e.arms} == {*probes.PROBES}


@pytest.mark.parametrize("probe", probes.PROBES)
def test_a_run_with_a_probe_has_the_numbers_of_one_without(probe, monkeypatch):
    """Every ten steps, of the network whose moving statistics a probe would move."""
    arm = replace(ARM, batch_size=15, examples=150, epochs=3)
    for name in ("WEIGHTS_EVERY", "PREDICTIVENESS_EVERY"):
        monkeypatch.setattr(probes, name, 10)
    monkeypatch.setattr(probes, "SHARPNESS_AT", (10, 20))
    monkeypatch.setattr(probes, "SHARPNESS_IMAGES", 15)
    plain, probed = train.run(arm, 1), train.run(replace(arm, probe=probe), 1)
    assert [row["step"] for row in probed.telemetry] == [10, 20, 30][: 2 + (probe != "sharpness")]
    for name in ("loss_every_10", "train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        assert getattr(plain, name) == getattr(probed, name), name
    np.testing.assert_array_equal(plain.predictions, probed.predictions)
