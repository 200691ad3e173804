"""A run beside its archived one: bit for bit, or how far apart."""

import dataclasses

import pytest
from made_runs import record

from report.study import live_runs


def test_a_run_equals_the_archived_run_whose_first_epochs_it_repeats():
    archived = record(loss_every_10=[2.0, 1.0, 0.5])
    short = {
        name: getattr(archived, name)[:1]
        for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    }
    run = dataclasses.replace(archived, loss_every_10=[2.0, 1.0], seconds=1.0, **short)
    assert live_runs.same_numbers(run, archived) and live_runs.first_steps(run, archived) == 0
    assert "bit for bit" in live_runs.comparison(run, archived)
    other = dataclasses.replace(run, loss_every_10=[2.0, 1.01])
    assert not live_runs.same_numbers(other, archived)
    assert live_runs.first_steps(other, archived) == pytest.approx(0.01)
    assert "1e-02" in live_runs.comparison(other, archived)
