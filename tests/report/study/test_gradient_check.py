"""An edited op is never trained with the gradient of another, and a sound one in silence."""

import inspect
import re
import warnings

import numpy as np
import pytest
import tensorflow as tf

from normlib import backward, data, gradients, ops, train
from normlib.arm import Arm
from report.study import gradient_check

BN = Arm("batch", profile="quick")


def losses(arm, steps=3):
    """Of the first steps, after the check that an edited op gets."""
    gradient_check.leave_edited_ops_to_the_tape(arm)
    return trained(arm, steps)


def trained(arm, steps=3):
    """The losses of the first steps."""
    trainer = train.Trainer(arm, 0, data.load("quick"))
    order = data.batch_order(0, 1, 2000)[: steps * 100]
    rates = train.learning_rates(arm, steps)
    return trainer.steps(tf.constant(order.reshape(steps, 100)), tf.constant(rates))[0].numpy()


@pytest.fixture
def trusting():
    """Leaves no op to the tape in the tests that follow."""
    yield
    gradients.LEFT_TO_THE_TAPE.clear()


def test_automatic_takes_the_ops_own_gradient_within_its_context_only(monkeypatch):
    monkeypatch.setattr(backward, "layer_norm", lambda *_, **__: 1 / 0)
    with gradient_check.automatic():
        assert np.isfinite(gradient_check.error("layer_norm")) and gradients.LEFT_TO_THE_TAPE
    assert not gradients.LEFT_TO_THE_TAPE
    with pytest.raises(ZeroDivisionError):
        gradient_check.error("layer_norm")


def test_every_hand_derived_gradient_is_right():
    named = re.findall(r'_with_backward\("(\w+)"', inspect.getsource(gradients))
    assert sorted(gradient_check.EXAMPLES) == sorted(named)
    for name in gradient_check.EXAMPLES:
        assert gradient_check.error(name) < gradient_check.ROUNDING / 1000, name


@pytest.mark.parametrize("name", gradient_check.EXAMPLES)
def test_a_wrong_backward_pass_is_seen(name, monkeypatch):
    sound = getattr(backward, name)

    def off(*tensors, **options):
        first, *others = sound(*tensors, **options)
        return 1.001 * first, *others

    monkeypatch.setattr(backward, name, off)
    assert gradient_check.error(name) == pytest.approx(1e-3, rel=1e-3)


def without_mean(x, gamma, beta, *, reduction_axes, epsilon=1e-3, weights=None):
    """Batch norm that forgot to centre."""
    variance = tf.reduce_mean(tf.square(x), reduction_axes, keepdims=True)
    y = gamma * x * tf.math.rsqrt(variance + epsilon) + beta
    return y, tf.zeros_like(variance), variance


def test_an_edited_op_is_trained_with_its_automatic_gradient_and_said_to_be(monkeypatch, trusting):
    monkeypatch.setattr(ops, "batch_norm", without_mean)
    said = r"backward.batch_norm is not the gradient of ops.batch_norm any more: it is"
    with pytest.warns(gradient_check.EditedOp, match=said):
        found = losses(BN)
    monkeypatch.setattr(gradients, "batch_norm", without_mean)  # as the tape has it
    gradients.LEFT_TO_THE_TAPE.clear()
    np.testing.assert_allclose(found, trained(BN), rtol=1e-5)


def test_without_the_check_it_would_be_trained_with_a_wrong_one(monkeypatch):
    monkeypatch.setattr(ops, "batch_norm", without_mean)
    silent = trained(BN)
    monkeypatch.setattr(gradients, "batch_norm", without_mean)
    assert np.abs(silent - trained(BN)).max() > 1e-3


def test_sound_ops_pass_in_silence(trusting):
    with warnings.catch_warnings():
        warnings.simplefilter("error", gradient_check.EditedOp)
        for arm in (BN, *(Arm(norm) for norm in ("layer", "group", "weight")),
                    Arm("rms", network="rnn")):  # fmt: skip
            gradient_check.leave_edited_ops_to_the_tape(arm)
    assert not gradients.LEFT_TO_THE_TAPE


def test_an_arm_that_is_wrong_on_purpose_is_exempt(monkeypatch):
    monkeypatch.setattr(gradient_check, "error", lambda name: 1 / 0)
    gradient_check.leave_edited_ops_to_the_tape(Arm("batch", backward="constant mean"))
    with pytest.raises(ZeroDivisionError):
        gradient_check.leave_edited_ops_to_the_tape(Arm("batch"))
