"""The op that is shown is the op that trains."""

import inspect
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from normlib import data, ops, train
from normlib.arm import Arm
from report.study import variants as variants  # adds the network of RMS norm

ARMS = {
    "batch_norm": Arm("batch", profile="quick"),
    "layer_norm": Arm("layer", profile="quick"),
    "weight_norm": Arm("weight", profile="quick"),
    "group_norm": Arm("group", profile="quick"),
    "rms_norm": Arm("rms", network="rnn", profile="quick"),
}


def losses(arm, steps=3):
    trainer = train.Trainer(arm, 0, data.load("quick"))
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


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.slow if name == "rms_norm" else ()) for name in ARMS
])  # fmt: skip
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
