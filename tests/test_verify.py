"""`lab.py verify` tells equal runs from close and different ones."""

from dataclasses import replace

import pytest

from normlib import archive, sweep, verify


@pytest.fixture
def published(tiny_record, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "PUBLISHED", tmp_path)
    archive.append(tiny_record, tmp_path)
    return tiny_record


def scaled(record, factor, step=1):
    losses = [loss * factor if i >= step else loss for i, loss in enumerate(record.loss_every_10)]
    return replace(record, loss_every_10=losses, seconds=0.0)


def test_agreement(tiny_record):
    assert verify.agreement(scaled(tiny_record, 1), tiny_record) == "bitwise equal"
    assert verify.agreement(scaled(tiny_record, 1 + 5e-4), tiny_record).startswith("the first 100")
    assert verify.agreement(scaled(tiny_record, 1 + 2e-3), tiny_record) == "different"
    shorter = replace(tiny_record, loss_every_10=tiny_record.loss_every_10[:1])
    assert verify.agreement(shorter, tiny_record) == "different"


def test_steps_after_the_hundredth_may_drift(tiny_record):
    longer = replace(tiny_record, loss_every_10=[1.0] * 20)
    assert verify.agreement(scaled(longer, 2, step=11), longer).startswith("the first 100")
    assert verify.agreement(scaled(longer, 2, step=10), longer) == "different"


def test_archived_runs_are_retrained(published, capsys):
    """In a process of its own, as the archived one was not: one thread there, all cores here."""
    assert verify.verify(verify.chosen(7)) != ["different"]
    assert f"{published.arm.label}, seed 3: " in capsys.readouterr().out


def test_another_run_is_different(published, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "train", lambda runs: [scaled(published, 1.1, step=0)])
    assert verify.verify([published]) == ["different"]
