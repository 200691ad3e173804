"""One run: what its result says, that it repeats, that it learns, that it can diverge."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from normlib import data, model, train
from normlib.arm import Arm


@pytest.fixture(scope="module")
def tiny_result(tiny_arm):
    return train.run(tiny_arm, seed=3)


def numbers(result):
    """What a rerun must repeat bit by bit."""
    return result._replace(predictions=result.predictions.tolist(), seconds=0)


def test_result_says_what_was_measured(tiny_result, tiny_arm):
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        assert len(getattr(tiny_result, name)) == tiny_arm.epochs
    assert len(tiny_result.loss_every_10) == 2  # 16 steps: the losses of steps 0 and 10
    labels = data.load("quick").test_labels
    assert tiny_result.test_accuracy[-1] == np.mean(tiny_result.predictions == labels)
    assert tiny_result.diverged is None and tiny_result.seconds > 0


def test_same_seed_gives_an_equal_result(tiny_result, tiny_arm):
    assert numbers(train.run(tiny_arm, seed=3)) == numbers(tiny_result)


def test_another_seed_gives_another_result(tiny_result, tiny_arm):
    other = train.run(tiny_arm, seed=4)
    assert other.loss_every_10[0] != tiny_result.loss_every_10[0]


def test_training_learns(tiny_result):
    assert (
        tiny_result.test_accuracy[-1] > 0.5
        and tiny_result.train_loss[1] < tiny_result.train_loss[0]
    )


def test_progress_counts_all_steps(tiny_arm):
    seen = []
    train.run(
        dataclasses.replace(tiny_arm, norm="none", epochs=1), 0, lambda *state: seen.append(state)
    )
    assert [state[:3] for state in seen] == [(8, 8, 1)]
    assert 0 < seen[-1][3] < 1


def test_a_diverging_run_ends_and_says_at_which_step():
    result = train.run(Arm(learning_rate=1e6, batch_size=250, epochs=3, profile="quick"), seed=0)
    assert 1 <= result.diverged < 8 and result.test_accuracy == []


def test_first_not_finite():
    assert train.first_not_finite([1.0, 2.0]) is None
    assert train.first_not_finite([1.0, float("inf"), float("nan")]) == 1
    assert train.first_not_finite([float("nan")]) == 0


def minimize(optimizer, trainer, rates):
    """The trainer's variables after three minibatches of 50, and a copy's after `optimizer`."""
    images, reference = data.load("quick"), model.build(trainer.arm, 0)
    batches = data.batch_order(0, 1, 2000)[:150].reshape(3, 50)
    trainer.steps(tf.constant(batches), tf.constant(np.float32(rates)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    variables = [variable.value for variable in reference.trainable_variables]
    for batch, rate in zip(batches, rates, strict=True):
        with tf.GradientTape() as tape:
            value = loss(
                images.train_labels[batch], reference(images.train_images[batch], training=True)
            )
        optimizer(zip(tape.gradient(value, variables), variables, strict=True), rate)
    return trainer.model.trainable_variables, variables


def test_three_steps_are_those_of_sgd_with_momentum():
    """Against Keras's optimizer, on the same minibatches, from the same weights."""
    arm = Arm(profile="quick", batch_size=50)
    sgd = keras.optimizers.SGD(arm.learning_rate, momentum=arm.momentum)
    trainer = train.Trainer(arm, 0, data.load("quick"))
    found = minimize(lambda pairs, _: sgd.apply(*zip(*pairs, strict=True)), trainer, [0.01] * 3)
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-6)


def test_each_step_has_its_own_learning_rate():
    """Against TensorFlow's: momentum gathers gradients, where Keras's gathers rate * gradient."""
    rate = tf.Variable(0.0)
    sgd = tf.compat.v1.train.MomentumOptimizer(rate, 0.9)

    def step(pairs, new):
        rate.assign(new)
        sgd.apply_gradients(pairs)

    trainer = train.Trainer(Arm(profile="quick", batch_size=50), 0, data.load("quick"))
    for mine, other in zip(*minimize(step, trainer, [0.03, 0.01, 0.002]), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-6)


def test_learning_rates_are_kerass_schedules():
    cosine = keras.optimizers.schedules.CosineDecay(0.08, 24)
    found = train.learning_rates(Arm(learning_rate=0.08, schedule="cosine"), 24)
    np.testing.assert_allclose(found, [cosine(step) for step in range(24)], rtol=1e-5)
    assert train.learning_rates(Arm(learning_rate=0.08), 24).tolist() == [np.float32(0.08)] * 24


def test_a_schedule_goes_on_from_epoch_to_epoch():
    """Every step's rate, as the compiled steps are given it."""
    arm = Arm(profile="quick", batch_size=500, epochs=2, schedule="cosine", learning_rate=0.05)
    trainer = train.Trainer(arm, 0, data.load("quick"))
    steps, given = trainer.steps, []
    trainer.steps = lambda batches, rates: (given.extend(rates.numpy()), steps(batches, rates))[1]
    for epoch in (1, 2):
        trainer.train(epoch)
    np.testing.assert_array_equal(given, train.learning_rates(arm, 8))


def test_scoring_uses_the_moving_statistics_and_changes_no_state(tiny_arm):
    images = data.load("quick")
    trainer = train.Trainer(tiny_arm, 0, images)
    before = trainer.model.get_weights()
    _, predictions, _ = trainer.scorer.score("running")
    for old, new in zip(before, trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    alone = trainer.model(images.test_images[:1], training=False)
    assert predictions[0] == np.argmax(alone)


@pytest.mark.parametrize("seed", [0, 1])
def test_every_epoch_has_its_own_batches(seed):
    first, second = (data.batch_order(seed, epoch, 2000) for epoch in (1, 2))
    assert set(first[:100]) != set(second[:100]) and sorted(first) == sorted(second)


def test_a_run_is_chosen_on_images_that_it_was_not_trained_on():
    images = data.load("quick")
    split = data.images(Arm(scored_on="validation", profile="quick"))
    assert len(split.test_labels) == 2000 // 12 and len(split.train_labels) == 2000 - 2000 // 12
    together = np.concatenate([split.train_images, split.test_images]).sum((1, 2, 3))
    np.testing.assert_array_equal(np.sort(together), np.sort(images.train_images.sum((1, 2, 3))))


def test_fewer_examples_are_the_same_ones_for_every_arm():
    some = data.images(Arm(examples=150, profile="quick"))
    others = data.images(Arm("batch", examples=150, profile="quick"))
    assert len(some.train_labels) == 150 and len(some.test_labels) == 1000
    np.testing.assert_array_equal(some.train_images, others.train_images)


def test_a_nan_among_the_pixels_is_seen_though_the_loss_looks_sound(monkeypatch):
    """Max-pooling and ReLU swallow it; it stays in the weights."""
    images = data.load("quick")
    spoilt = images.train_images.copy()
    spoilt[7, 14, 14] = np.nan
    monkeypatch.setattr(data, "images", lambda arm: images._replace(train_images=spoilt))
    result = train.run(Arm(profile="quick", epochs=3, batch_size=200), 0)
    assert result.diverged is not None and len(result.test_accuracy) < 3


def test_weights_that_are_not_finite_end_the_run_at_the_epochs_last_step():
    def spoil(trainer, step):
        if step == 4:  # the first epoch's last
            trainer.variables[-1].assign(np.full(10, np.nan))
        return {}

    result = train.run(Arm(profile="quick", epochs=3, batch_size=500), 0, probe=spoil)
    assert result.diverged == 3 and result.test_accuracy == [] == result.train_loss
