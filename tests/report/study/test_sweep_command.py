"""What `lab.py sweep` offers: the table of experiments, and seeds of one's own choice."""

import dataclasses
import sys

import pytest
from made_runs import record

from report.study import archive, pool, provenance, sweep, sweep_command
from report.study.arms import KERAS_BN, NONE, OUR_BN
from report.study.experiments import EXPERIMENTS, Experiment


@pytest.mark.parametrize(("text", "found"), [("0:3", (0, 1, 2)), ("100:101", (100,))])
def test_seeds_are_those_from_the_first_to_before_the_second(text, found):
    assert sweep_command.seeds(text) == found


def command(monkeypatch, *words):
    """What `lab.py sweep` runs and where it writes, training nothing."""
    ran = []
    monkeypatch.setattr(sweep, "run", lambda e, folder, executor: ran.append((e, folder)) or [])
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(sys, "argv", ["lab.py sweep", *words])
    sweep_command.main()
    return ran


NONSENSE = ["3:3", "5:2", "a:b", "3", "3:", ":3", "1:2:3", "1.5:3", "-1:3", "0:3 ", "", "٠:٣"]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_one_sentence_and_trains_nothing(text, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        command(monkeypatch, "pilot", f"--seeds={text}")
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{text!r} is no range of seeds" in error and "200:210" in error


def test_seeds_replace_the_experiments_own(monkeypatch):
    ((found, folder),) = command(monkeypatch, "pilot", "--seeds", "7:9")
    assert found == dataclasses.replace(EXPERIMENTS["pilot"], seeds=(7, 8))
    assert folder == archive.OWN
    assert command(monkeypatch, "pilot", "--publish") == [(EXPERIMENTS["pilot"], archive.COMMITTED)]


def test_the_table_counts_what_is_there_and_what_is_missing():
    some = Experiment("some", (NONE, OUR_BN), (0, 1, 2), "to try")
    other = Experiment("the_other", (KERAS_BN,), (100,))
    runs = [(NONE, 0, 3.0), (NONE, 9, 5.0), (OUR_BN, 2, 40.4)]
    records = [record(seed, arm=arm, seconds=seconds) for arm, seed, seconds in runs]
    lines = sweep_command.table({e.name: e for e in (some, other)}, {r.key: r for r in records})
    assert lines.splitlines() == [
        "experiment  arms    seeds  records  missing seconds a run  for",
        "some           2      0:3        2        4             5  to try",
        "the_other      1  100:101        0        1             -",
    ]


@pytest.mark.parametrize("seeds", ["0:3", "50:54"])
def test_the_list_is_of_the_archive_and_the_seeds(seeds, monkeypatch, tmp_path, capsys):
    for name, seed, protocol in (("COMMITTED", 0, 0), ("OWN", 2, 0), ("OWN", 51, 0), ("OWN", 1, 1)):
        monkeypatch.setattr(archive, name, tmp_path / name)
        of = record(seed, arm=NONE, protocol=provenance.PROTOCOL - protocol)
        archive.append(of, tmp_path / name)
    assert command(monkeypatch, "--list", "--seeds", seeds) == []
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("baseline ")]
    there, size = (2, 3) if seeds == "0:3" else (1, 4)
    assert line.split()[:5] == ["baseline", "1", seeds, str(there), str(size - there)]


def test_publishing_runs_of_edited_sources_is_refused_before_anything_is_trained(
    monkeypatch, capsys
):
    monkeypatch.setattr(sweep_command, "sources", lambda arm: "edited")
    with pytest.raises(SystemExit, match=r"sources edited\) is not listed in sources\.toml"):
        command(monkeypatch, "pilot", "--publish")
    ((_, folder),) = command(monkeypatch, "pilot")
    assert folder == archive.OWN


@pytest.mark.parametrize("words", [["--list"], ["pilot"], ["pilot", "--publish"]])
def test_a_damaged_archive_is_one_sentence(words, monkeypatch, tmp_path):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    for name in ("COMMITTED", "OWN", "LIVE"):
        monkeypatch.setattr(archive, name, tmp_path / name)
    (tmp_path / "COMMITTED").mkdir()
    (tmp_path / "COMMITTED" / "default.jsonl").write_text('{"seed": 1}\n')
    monkeypatch.setattr(sweep_command, "refuse_unlisted_sources", lambda experiment: None)
    monkeypatch.setattr(sys, "argv", ["lab.py sweep", *words])
    said = r"^error: .*COMMITTED/default\.jsonl line 1 is not a record .*restore it.*\.$"
    with pytest.raises(SystemExit, match=said):
        sweep_command.main()


@pytest.mark.parametrize(
    "error",
    [
        archive.ArchiveError("The folder cannot be written; make room."),
        pool.RunFailed("Runs that failed: 1; the others are kept."),
        OSError(28, "No space left on device", "/tmp"),
    ],
)
def test_what_ends_a_sweep_is_said_without_a_traceback(error, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(sweep, "run", fail)
    monkeypatch.setattr(sys, "argv", ["lab.py sweep", "pilot"])
    with pytest.raises(SystemExit) as said:
        sweep_command.main()
    assert said.value.code == f"error: {error}"


def test_a_scheduler_that_is_absent_is_said(monkeypatch):
    with pytest.raises(SystemExit, match=r"^error: There is no Dask scheduler at 127\.0\.0\.1 "):
        command(monkeypatch, "pilot", "--scheduler", "127.0.0.1")
