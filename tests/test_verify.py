"""`lab.py verify` tells equal runs from close and different ones."""

from dataclasses import replace

from normlib import archive, sweep, verify


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


def test_archived_runs_are_retrained(tiny_arm, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(archive, "PUBLISHED", tmp_path)
    (record,) = sweep.train([(replace(tiny_arm, epochs=1), 3)])
    archive.append(record, tmp_path)
    assert verify.verify(verify.chosen(7)) == ["bitwise equal"]
    assert f"{record.arm.label}, seed 3: bitwise equal\n" in capsys.readouterr().out


def test_another_run_is_different(tiny_record, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "train", lambda runs: [scaled(tiny_record, 1.1, step=0)])
    assert verify.verify([tiny_record]) == ["different"]
