"""A run's process: what its parent reads of it, and what it says when it fails."""

import pytest
from made_runs import record

from normlib.arm import Arm
from report.study import provenance, recording, worker


def test_a_line_that_a_killed_process_wrote_half_is_no_record():
    assert worker._read(['["records", [{"arm": '], print, print) == 0


def test_a_record_has_the_sources_that_its_run_began_with(monkeypatch):
    """Whatever a reader edits meanwhile."""
    values, now = vars(record()), ["at the beginning"]
    own = ("arm", "seed", "protocol", "sources", "environment")

    def train(*_, **__):
        now[0] = "edited"
        return [{k: v for k, v in values.items() if k not in own}]

    monkeypatch.setattr(provenance, "sources", lambda arm: now[0])
    monkeypatch.setattr(recording.running, "runs", train)
    assert recording.run(record().arm, 0).sources == "at the beginning"


def test_runs_that_share_a_process_have_the_numbers_of_one_each_and_outlive_its_failure():
    """Of BN, whose statistics and compiled expressions could be left over from the run before."""
    arms = [Arm("batch", evaluation=e, epochs=1, profile="quick") for e in ("running", "batch")]
    why = r"seed -1: its process ended with code 1(.|\n)*ValueError: .* whole"
    kept = []
    with pytest.raises(worker.RunFailed, match=why):
        worker.run_each(arms, [4, 5, -1], lambda _: None, kept.extend)
    assert [(r.arm, r.seed) for r in kept] == [(arm, seed) for seed in (4, 5) for arm in arms]
    running, batch = kept[2:]
    assert running.train_loss == batch.train_loss and running.test_loss != batch.test_loss
    assert batch.environment["threads"] == 1
    (alone,) = worker.run(arms[1:], 5)
    assert alone.numbers() == batch.numbers()
