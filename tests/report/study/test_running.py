"""One run: what it measures, that it repeats, that it learns, that it can diverge."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from normlib import data, train
from normlib.arm import Arm
from report.study import running


def run(arm, seed, progress=train.nothing):
    """What the run measured."""
    (measured,) = running.runs((arm,), seed, progress)
    return SimpleNamespace(**measured)


@pytest.fixture(scope="module")
def tiny_result(tiny_arm):
    return run(tiny_arm, seed=3)


def numbers(result):
    """What a rerun must repeat bit by bit."""
    return vars(result) | {"predictions": result.predictions.tolist(), "seconds": 0}


def test_result_says_what_was_measured(tiny_result, tiny_arm):
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        assert len(getattr(tiny_result, name)) == tiny_arm.epochs
    assert len(tiny_result.loss_every_10) == 2  # 16 steps: the losses of steps 0 and 10
    labels = data.load("quick").test_labels
    assert tiny_result.test_accuracy[-1] == np.mean(tiny_result.predictions == labels)
    assert tiny_result.diverged is None and tiny_result.seconds > 0


def test_same_seed_gives_an_equal_result(tiny_result, tiny_arm):
    assert numbers(run(tiny_arm, seed=3)) == numbers(tiny_result)


def test_another_seed_gives_another_result(tiny_result, tiny_arm):
    other = run(tiny_arm, seed=4)
    assert other.loss_every_10[0] != tiny_result.loss_every_10[0]


def test_training_learns(tiny_result):
    assert (
        tiny_result.test_accuracy[-1] > 0.5
        and tiny_result.train_loss[1] < tiny_result.train_loss[0]
    )


def test_progress_counts_all_steps(tiny_arm):
    seen = []
    run(dataclasses.replace(tiny_arm, norm="none", epochs=1), 0, lambda *state: seen.append(state))
    assert [state[:3] for state in seen] == [(8, 8, 1)]
    assert 0 < seen[-1][3] < 1


def test_a_diverging_run_ends_and_says_at_which_step():
    result = run(Arm(learning_rate=1e6, batch_size=250, epochs=3, profile="quick"), seed=0)
    assert 1 <= result.diverged < 8 and result.test_accuracy == []


def test_a_nan_among_the_pixels_is_seen_though_the_loss_looks_sound(monkeypatch):
    """Max-pooling and ReLU swallow it; it stays in the weights."""
    images = data.load("quick")
    spoilt = images.train_images.copy()
    spoilt[7, 14, 14] = np.nan
    monkeypatch.setattr(data, "images", lambda arm: images._replace(train_images=spoilt))
    result = run(Arm(profile="quick", epochs=3, batch_size=200), 0)
    assert result.diverged is not None and len(result.test_accuracy) < 3


def test_weights_that_are_not_finite_end_the_run_at_the_epochs_last_step(monkeypatch):
    monkeypatch.setattr(train.Trainer, "is_finite", lambda self: False)
    result = run(Arm(profile="quick", epochs=3, batch_size=500), 0)
    assert result.diverged == 3 and result.test_accuracy == [] == result.train_loss
