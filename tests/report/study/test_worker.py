"""A run's process: what its parent reads of it, and what its record says."""

from made_runs import record

from report.study import provenance, recording, worker


def test_a_line_that_a_killed_process_wrote_half_is_no_record():
    assert worker._read(['["records", [{"arm": '], print, print) == 0


def test_a_record_has_the_sources_that_its_run_began_with(monkeypatch):
    """Whatever a reader edits meanwhile."""
    values, now = vars(record()), ["at the beginning"]
    own = ("arm", "seed", "protocol", "sources", "environment")

    def train(*_, **__):
        now[0] = "edited"
        return [recording.train.Result(**{k: v for k, v in values.items() if k not in own})]

    monkeypatch.setattr(provenance, "sources", lambda arm: now[0])
    monkeypatch.setattr(recording.train, "runs", train)
    assert recording.run(record().arm, 0).sources == "at the beginning"
