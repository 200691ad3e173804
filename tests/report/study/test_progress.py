"""Progress of sweeps: where it is shown, and where it is not."""

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


def test_progress_is_silent_when_off_and_on_stderr_in_a_plain_process(monkeypatch, capfd):
    for target, expected in (("off", ""), ("", "our BN, seed 0: epoch 1 of 2, step 20 of 20")):
        monkeypatch.setenv("NORMLIB_PROGRESS", target)
        reporter = progress.Reporter(runs=1)
        for state in states():
            reporter.take(state)
        reporter.show()
        assert capfd.readouterr().err.startswith(expected)
