"""Scoring: which statistics normalize which test images."""

import dataclasses

import numpy as np
import pytest

from normlib import data, scoring, train
from normlib.arm import Arm

BN = Arm("batch", batch_size=50, profile="quick")


@pytest.fixture(scope="module")
def trainer():
    """A BN network some steps into its training."""
    found = train.Trainer(dataclasses.replace(BN, epochs=1), 0, data.load("quick"))
    found.train(1, lambda *_: None)
    return found


def logits(trainer, places, training=True):
    kept = trainer.model.get_weights()
    found = trainer.model(trainer.images.test_images.numpy()[places], training=training)
    trainer.model.set_weights(kept)
    return found.numpy()


@pytest.mark.parametrize("evaluation, size", [("batch", 100), ("batch of 10", 10)])
def test_neighbours_in_the_test_minibatch_give_the_statistics(trainer, evaluation, size):
    score = trainer.scorer.score(evaluation)
    places = np.arange(size, 2 * size)
    np.testing.assert_array_equal(score.predictions[places], np.argmax(logits(trainer, places), 1))
    assert abs(score.loss - trainer.scorer.score("running").loss) > 1e-3


def test_minibatches_of_one_class_are_scored_together_and_put_back_in_order(trainer):
    places = np.flatnonzero(trainer.images.test_labels.numpy() == 7)[:100]
    found = trainer.scorer.score("one class").predictions[places]
    np.testing.assert_array_equal(found, np.argmax(logits(trainer, places), 1))


def test_re_estimated_statistics_are_those_of_the_first_convolution_on_training_images(trainer):
    convolution, norm = trainer.model.layers[:2]
    x = convolution(trainer.images.train_images).numpy()  # 2000: all that the quick profile has
    trainer.scorer._re_estimate(trainer.model.non_trainable_variables)
    mean, variance = x.mean((0, 1, 2), float), x.var((0, 1, 2), float)
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-4)


@pytest.mark.parametrize("evaluation", [
    pytest.param(plan, marks=pytest.mark.slow if plan == "batch of 1" else ())
    for plan in scoring.PLANS
])  # fmt: skip
def test_scoring_leaves_the_network_as_it_was(trainer, evaluation):
    before = trainer.model.get_weights()
    trainer.scorer.score(evaluation)
    for old, new in zip(before, trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_loss_is_the_mean_over_the_test_images(trainer):
    z = logits(trainer, np.arange(1000), training=False).astype(float)
    z -= z.max(1, keepdims=True)
    labels = trainer.images.test_labels.numpy()
    expected = np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(1000), labels])
    np.testing.assert_allclose(trainer.scorer.score("running").loss, expected, rtol=1e-5)
