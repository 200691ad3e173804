"""The op that is shown is the op that trains; an edited one never with another's gradient."""

import inspect
import textwrap
import warnings

import numpy as np
import pytest
import tensorflow as tf

from normlib import backward, data, gradients, ops, train
from normlib.arm import Arm

ARMS = {
    "batch_norm": Arm("batch", profile="quick"),
    "layer_norm": Arm("layer", profile="quick"),
    "weight_norm": Arm("weight", profile="quick"),
    "rms_norm": Arm("rms", network="rnn", profile="quick"),
}


def losses(arm, steps=3, **options):
    trainer = train.Trainer(arm, 0, data.load("quick"), **options)
    order = data.batch_order(0, 1, 2000)[: steps * 100]
    rates = train.learning_rates(arm, steps)
    return trainer.steps(tf.constant(order.reshape(steps, 100)), tf.constant(rates))[0].numpy()


def doubled(op):
    """The op with a factor of 2 on its first output."""

    def double(*tensors, **options):
        y, *statistics = (
            outputs if isinstance(outputs := op(*tensors, **options), tuple) else (outputs,)
        )
        return (2 * y, *statistics) if statistics else 2 * y

    return double


@pytest.mark.parametrize("name", ARMS)
def test_changing_the_op_changes_the_training(name, monkeypatch):
    before = losses(ARMS[name])
    monkeypatch.setattr(ops, name, doubled(getattr(ops, name)))
    assert np.abs(losses(ARMS[name]) - before).max() > 1e-3


def test_changing_normalize_changes_the_scores(monkeypatch):
    trainer = train.Trainer(ARMS["batch_norm"], 0, data.load("quick"))
    before = trainer.scorer.score("running").loss
    monkeypatch.setattr(ops, "normalize", doubled(ops.normalize))
    trainer = train.Trainer(ARMS["batch_norm"], 0, data.load("quick"))
    assert abs(trainer.scorer.score("running").loss - before) > 1e-3


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "weight_norm"])
def test_the_op_is_short_and_its_terms_are_in_view(name):
    source = textwrap.dedent(inspect.getsource(getattr(ops, name)))
    body = source.split('"""')[2].strip().splitlines()
    assert len(body) <= 10
    terms = ["mean", "variance", "tf.math.rsqrt", "gamma", "beta", "epsilon"]
    assert [t for t in (["g * unit"] if name == "weight_norm" else terms) if t not in source] == []


@pytest.fixture
def trusting():
    """Leaves no op to the tape in the tests that follow."""
    yield
    gradients.LEFT_TO_THE_TAPE.clear()


def test_automatic_takes_the_ops_own_gradient_within_its_context_only(monkeypatch):
    monkeypatch.setattr(backward, "layer_norm", lambda *_, **__: 1 / 0)
    with gradients.automatic():
        assert np.isfinite(gradients.error("layer_norm")) and gradients.LEFT_TO_THE_TAPE
    assert not gradients.LEFT_TO_THE_TAPE
    with pytest.raises(ZeroDivisionError):
        gradients.error("layer_norm")


def test_every_hand_derived_gradient_is_right():
    for name in gradients.EXAMPLES:
        assert gradients.error(name) < train.ROUNDING / 1000, name


@pytest.mark.parametrize("name", gradients.EXAMPLES)
def test_a_wrong_backward_pass_is_seen(name, monkeypatch):
    sound = getattr(backward, name)

    def off(*tensors, **options):
        first, *others = sound(*tensors, **options)
        return 1.001 * first, *others

    monkeypatch.setattr(backward, name, off)
    assert gradients.error(name) == pytest.approx(1e-3, rel=1e-3)


def without_mean(x, gamma, beta, *, reduction_axes, epsilon=1e-3, weights=None):
    """Batch norm that forgot to centre."""
    variance = tf.reduce_mean(tf.square(x), reduction_axes, keepdims=True)
    y = gamma * x * tf.math.rsqrt(variance + epsilon) + beta
    return y, tf.zeros_like(variance), variance


def test_an_edited_op_is_trained_with_its_automatic_gradient_and_said_to_be(monkeypatch, trusting):
    arm = ARMS["batch_norm"]
    monkeypatch.setattr(ops, "batch_norm", without_mean)
    with pytest.warns(train.EditedOp, match=r"gradient of ops.batch_norm, backward.batch_norm, is"):
        found = losses(arm, check_gradients=True)
    monkeypatch.setattr(gradients, "batch_norm", without_mean)  # as the tape has it
    gradients.LEFT_TO_THE_TAPE.clear()
    np.testing.assert_allclose(found, losses(arm), rtol=1e-5)


def test_without_the_check_it_would_be_trained_with_a_wrong_one(monkeypatch):
    monkeypatch.setattr(ops, "batch_norm", without_mean)
    silent = losses(ARMS["batch_norm"])
    monkeypatch.setattr(gradients, "batch_norm", without_mean)
    assert np.abs(silent - losses(ARMS["batch_norm"])).max() > 1e-3


def test_sound_ops_and_gradients_wrong_on_purpose_pass_in_silence(trusting):
    with warnings.catch_warnings():
        warnings.simplefilter("error", train.EditedOp)
        for arm in ARMS.values():
            train.leave_edited_ops_to_the_tape(arm)
    assert not gradients.LEFT_TO_THE_TAPE


def test_an_arm_that_is_wrong_on_purpose_is_exempt(monkeypatch):
    monkeypatch.setattr(train, "leave_edited_ops_to_the_tape", lambda arm: 1 / 0)
    from report.study import variants  # noqa: F401

    arm = Arm("batch", backward="constant mean", profile="quick")
    train.Trainer(arm, 0, data.load("quick"), check_gradients=True)
