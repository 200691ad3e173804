"""Exercise 8: what is said of a run, and the thirty that it stands beside."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from report.study import archive, arms, sweep
from report.study.exercises import training


@pytest.fixture(scope="module")
def thirty():
    return training.thirty()


def test_the_thirty_are_runs_of_the_labs_layer_norm_that_the_archive_has(thirty):
    assert {record.arm for record in thirty} == {arms.OUR_LN_HIDDEN}
    assert len({record.seed for record in thirty}) == len(thirty) == 30
    assert all(len(record.test_accuracy) == 4 for record in thirty)


def test_a_run_is_set_beside_the_others_after_as_many_epochs(thirty):
    first = np.array([100 * record.test_accuracy[0] for record in thirty])
    run = replace(thirty[0], test_accuracy=[0.5])
    said = training.said(run, thirty)
    assert said.startswith(f"Your norm: 50.00 % of the test images after 1 epoch, seed {run.seed}.")
    assert f"\nThe archive's layer norm: {first[0]:.2f} % with that seed" in said
    assert said.endswith(
        f"30 seeds: {first.min():.2f} to {first.max():.2f} %, {first.mean():.2f} % on average."
    )
    whole = training.said(thirty[0], thirty)
    assert f"{100 * thirty[0].test_accuracy[-1]:.2f} % of the test images after 4 epochs" in whole


def test_a_run_that_diverged_or_is_of_the_sample_is_not_compared(thirty):
    assert training.said(replace(thirty[0], diverged=7), thirty) == (
        "The training diverged at step 7: its loss or a weight is not finite."
    )
    quick = replace(thirty[0], arm=thirty[0].arm.quick())
    assert training.said(quick, thirty).endswith("there is nothing to compare it with.")


def test_what_cannot_be_trained_is_a_sentence(capsys, monkeypatch):
    monkeypatch.setattr(sweep, "live", lambda *_: pytest.fail("it was trained"))

    def network_norm(x, gamma, beta):
        raise NotImplementedError

    training.compare(network_norm)
    assert capsys.readouterr().out == "network_norm: not written yet.\n"
    training.compare(lambda x, gamma, beta: x)
    assert capsys.readouterr().out.startswith("the norm '<lambda>' failed: its source is no `def`")


def test_it_is_the_hidden_layers_norm_that_is_trained(capsys, monkeypatch, thirty):
    trained = []

    def live(arm, seed):
        trained.append((arm, seed))
        return replace(thirty[0], seed=seed)

    monkeypatch.setattr(sweep, "live", live)

    def network_norm(x, gamma, beta):
        return gamma * tf.nn.l2_normalize(x, -1) + beta

    training.compare(network_norm)
    ((arm, seed),) = trained
    assert (arm.norm, arm.placement, seed) == ("own", "hidden", thirty[0].seed)
    assert "Your norm: " in capsys.readouterr().out


@pytest.mark.slow
def test_it_trains(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(archive, "LIVE", tmp_path)

    def network_norm(x, gamma, beta):
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return gamma * (x - mean) / tf.sqrt(variance + 1e-5) + beta

    training.compare(network_norm)
    assert "% of the test images after 4 epochs, seed 200." in capsys.readouterr().out
