"""Progress of sweeps: where it is shown, and where it is not."""

import pytest

from report.study import progress


def states():
    for done in (10, 20):
        yield progress.State("our BN, seed 0", done, 20, 1, 2, 0.5)


LONGER = progress.State("our BN, seed 0", 40, 40, 4, 4, 0.5)  # another run of that label


def test_progress_goes_to_the_side_channel(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("NORMLIB_PROGRESS", str(tmp_path / "progress"))
    reporter = progress.Reporter(runs=2)
    reporter.pause = 0
    for state in (*states(), LONGER):
        reporter.take(state)
        reporter.show()
    lines = (tmp_path / "progress").read_text().splitlines()
    assert len(lines) == 3
    assert all(f'"runs_done": {i}, "runs": 2' in line for i, line in enumerate(lines))
    assert capfd.readouterr() == ("", "")


def test_the_time_left_is_that_of_the_steps_without_the_compiling(monkeypatch):
    now, shown = [0.0], []
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    reporter = progress.Reporter(runs=1)
    monkeypatch.setattr(reporter, "_write", lambda state, share: shown.append(state))
    for seconds, done in ((30, 10), (31, 20), (32, 30)):  # half a minute until the first
        now[0], reporter.next = seconds, 0
        reporter.take(progress.State("our BN, seed 0", done, 600, 1, 1, 0.5))
        reporter.show()
    assert shown[0].seconds_left is None
    assert [s.seconds_left for s in shown[1:]] == pytest.approx([58, 57])
    assert "left" not in shown[0].text() and shown[1].text().endswith(", about 0:58 left")
    assert progress.clock(3723) == "1:02:03" and progress.clock(63) == "1:03"


def test_progress_is_silent_when_off_and_on_stderr_in_a_plain_process(monkeypatch, capfd):
    for target, expected in (("off", ""), ("", "our BN, seed 0: epoch 1 of 2, step 20 of 20")):
        monkeypatch.setenv("NORMLIB_PROGRESS", target)
        reporter = progress.Reporter(runs=1)
        for state in states():
            reporter.take(state)
        reporter.show()
        assert capfd.readouterr().err.startswith(expected)
