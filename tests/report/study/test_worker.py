"""A run's process: what its parent reads of it, and what it says when it fails."""

import pytest
from made_runs import record

from normlib.arm import Arm
from report.study import provenance, recording, worker


def test_a_failing_run_says_why():
    arm = Arm(norm="own", source="def wrong(x, gamma, beta):\n    return missing", profile="quick")
    with pytest.raises(worker.RunFailed, match=r"code 1(.|\n)*name 'missing' is not defined"):
        worker.run((arm,), 0)


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


def test_seeds_that_share_a_process_have_the_numbers_of_one_each():
    """Of BN, whose statistics and compiled expressions could be left over from the seed before."""
    arm, kept = Arm("batch", epochs=1, profile="quick", batch_size=250), []
    worker.run_each((arm,), [4, 5], lambda _: None, kept.extend)
    assert [record.seed for record in kept] == [4, 5]
    (alone,) = worker.run((arm,), 5)
    assert alone.numbers() == kept[1].numbers()


def test_a_process_that_fails_keeps_the_seeds_before_and_names_the_one():
    arm = Arm(epochs=1, profile="quick", batch_size=500)
    kept = []
    with pytest.raises(
        worker.RunFailed, match=r"seed -1: its process ended with code 1(.|\n)*whole"
    ):
        worker.run_each((arm,), [0, -1], lambda _: None, kept.extend)
    assert [record.seed for record in kept] == [0]
