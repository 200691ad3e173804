"""Sweeps: what is missing is trained, in one-thread processes, and nothing finished is lost."""

import dataclasses
import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from made_runs import each, record

from normlib import data
from normlib.arm import Arm
from report.study import archive, arms, experiments, pool, provenance, sweep, worker
from report.study.experiments import Experiment

SMALL = Arm(epochs=1, batch_size=500, profile="quick")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty archives: published, own, live."""
    for name in ("COMMITTED", "OWN", "LIVE"):
        monkeypatch.setattr(archive, name, tmp_path / name)
    return tmp_path


def known(arm, seed, **changes):
    values = {"protocol": provenance.PROTOCOL, "sources": provenance.sources(arm)}
    return record(seed, arm=arm, **(values | changes))


def test_run_trains_what_is_missing_once_and_returns_it_in_order(folders, monkeypatch):
    archive.append(known(SMALL, 1), folders / "COMMITTED")
    experiment, trained = Experiment("some", (SMALL,), (0, 1)), []

    def train(arms, seed):
        trained.append(seed)
        return [known(arm, seed, seconds=3.5) for arm in arms]

    monkeypatch.setattr(worker, "run_each", each(train))
    for _ in range(2):
        found = sweep.run(experiment)
        assert [(r.seed, r.seconds) for r in found] == [(0, 3.5), (1, 12.5)]
        assert [key[1] for key in archive.read([folders / "OWN"])] == trained == [0]


@pytest.mark.slow
def test_a_record_does_not_depend_on_how_many_ran_beside_it(folders):
    (alone,) = pool.train([(SMALL, 5)])
    beside = {record.key: record for record in pool.train([(SMALL, 5), (SMALL, 6)])}
    assert alone.numbers() == beside[SMALL, 5].numbers() != beside[SMALL, 6].numbers()


def test_records_of_another_protocol_do_not_count(folders):
    old = known(arms.NONE, 0, protocol=provenance.PROTOCOL - 1)
    assert sweep.current({old.key: old}) == {}


def test_a_missing_full_record_in_the_quick_profile_names_the_sweep(folders):
    with pytest.raises(sweep.MissingRecords, match=r"30 of 30 .* python3 lab.py sweep baseline"):
        sweep.run(experiments.EXPERIMENTS["baseline"])


def test_changed_sources_are_said(folders, capsys):
    archive.append(known(SMALL, 0, sources="old"), folders / "COMMITTED")
    archive.append(known(SMALL, 1), folders / "COMMITTED")
    sweep.run(Experiment("some", (SMALL,), (0, 1)))
    assert "1 of the 2 records of experiment 'some' were computed" in capsys.readouterr().out


def test_finished_runs_survive_a_failing_one(folders, monkeypatch):
    def one_fails(arms, seed):
        if seed == 1:
            raise worker.RunFailed("out of memory")
        return [known(arm, seed) for arm in arms]

    monkeypatch.setattr(pool, "SHORT_RUN", 0)
    monkeypatch.setattr(worker, "run_each", each(one_fails))
    with pytest.raises(worker.RunFailed, match=r"failed: 1; the others are kept. out of mem"):
        sweep.run(Experiment("some", (SMALL,), (0, 1, 2)))
    assert sorted(key[1] for key in archive.read([folders / "OWN"])) == [0, 2]


@pytest.mark.slow
def test_a_killed_process_loses_its_run_only_and_a_restart_trains_it(folders, monkeypatch):
    experiment = Experiment("some", (dataclasses.replace(SMALL, epochs=2),), (0, 1))
    sound = worker.State

    def kill_at_the_second(**values):  # the two share a process
        if values["label"].endswith("seed 1"):
            monkeypatch.setattr(worker, "State", sound)
            os.kill(next(iter(worker.RUNNING)).pid, signal.SIGKILL)
        return sound(**values)

    monkeypatch.setattr(worker, "State", kill_at_the_second)
    with pytest.raises(worker.RunFailed, match="code -9"):
        sweep.run(experiment)
    assert [key[1] for key in archive.read([folders / "OWN"])] == [0]
    assert len(sweep.run(experiment)) == 2 == len(archive.read([folders / "OWN"]))


def test_two_sweeps_at_once_train_every_run_once(folders, monkeypatch, capsys):
    trained = []

    def train_one(arms, seed):
        trained.append(seed)
        return [known(arm, seed) for arm in arms]

    monkeypatch.setattr(worker, "run_each", each(train_one))
    experiment = Experiment("some", (SMALL,), tuple(range(20)))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(sweep.run, [experiment, experiment]))
    assert sorted(trained) == list(range(20)) and len(found[0]) == len(found[1]) == 20


def test_runs_are_trained_seed_by_seed(folders, monkeypatch):
    other, order = dataclasses.replace(SMALL, batch_size=400), []
    monkeypatch.setattr(
        pool, "train", lambda runs, _: order.extend(runs) or map(known, *zip(*runs, strict=True))
    )
    sweep.run(Experiment("some", (SMALL, other), (0, 1)))
    assert [(arm, seed) for arm, seed in order] == [(SMALL, 0), (other, 0), (SMALL, 1), (other, 1)]


@pytest.fixture
def pretended(folders, monkeypatch):
    """The full profile, in which runs are made up in no time."""
    monkeypatch.setenv("NORMLIB_PROFILE", "full")
    monkeypatch.setattr(data, "fetch", lambda arms: None)
    monkeypatch.setattr(pool, "train", lambda runs, _=None: [known(*run) for run in runs])
    return folders


def test_live_run_repeats_the_first_epoch_of_the_archived_one(pretended):
    archive.append(known(arms.OUR_BN, 0), pretended / "COMMITTED")
    run = sweep.live(arms.OUR_BN, 0)
    assert run.arm == dataclasses.replace(arms.OUR_BN, epochs=sweep.LIVE_EPOCHS)
    assert sweep.archived(run).arm == arms.OUR_BN
    assert not (pretended / "OWN").exists()
    sweep.live(Arm(norm="own", source="def f(x, gamma, beta):\n    return x\n"), 0)
    assert [arm for arm, _ in archive.read([pretended / "LIVE"])] == [run.arm]


def test_any_arm_and_seed_trains_live_and_has_a_partner_only_where_there_is_one(pretended):
    archive.append(known(arms.OUR_BN, 0), pretended / "COMMITTED")
    hot = dataclasses.replace(arms.OUR_BN, learning_rate=0.1)
    for arm, seed in ((hot, 0), (arms.OUR_BN, 42), (dataclasses.replace(hot, examples=500), 7)):
        assert sweep.archived(sweep.live(arm, seed)) is None
    assert len(archive.read([pretended / "LIVE"])) == 3


def test_runs_of_edited_sources_are_live_and_stand_over_no_archive(pretended, monkeypatch, capsys):
    archive.append(known(SMALL, 0), pretended / "COMMITTED")
    listed = provenance.sources(SMALL)
    for module in (sweep, provenance):
        monkeypatch.setattr(module, "sources", lambda arm: "edited")
    assert not provenance.known("edited") and provenance.known(listed)
    experiment = Experiment("some", (SMALL,), (0, 1))
    found = sweep.run(experiment, folder=archive.COMMITTED)
    assert [r.sources for r in found] == [listed, "edited"]
    assert "computed by another version of the code than yours" in capsys.readouterr().out
    assert [key[1] for key in archive.read([archive.COMMITTED])] == [0]
    assert [key[1] for key in archive.read([archive.LIVE])] == [1]
    monkeypatch.setattr(pool, "train", lambda runs, _: runs)  # nothing is trained again
    assert [r.sources for r in sweep.run(experiment)] == [listed, "edited"]
    monkeypatch.setattr(sweep, "sources", lambda arm: "edited once more")
    with pytest.raises(AttributeError):  # this one is
        sweep.run(experiment)


def test_nothing_is_trained_that_could_not_be_kept(folders, monkeypatch):
    monkeypatch.setattr(pool, "train", lambda *_: pytest.fail("trained"))
    experiment = Experiment("some", (SMALL,), (0, 1))

    def unread():
        with monkeypatch.context() as patch:
            patch.setattr(sweep, "_readable", dict)
            sweep.run(experiment)

    (folders / "OWN").write_text("a file")
    with pytest.raises(archive.ArchiveError, match=r"OWN cannot be read .*Not a directory"):
        sweep.run(experiment)
    with pytest.raises(archive.ArchiveError, match=r"OWN cannot be written .*File exists"):
        unread()
    (folders / "OWN").unlink()
    (folders / "OWN" / archive.file_name(SMALL)).mkdir(parents=True)
    with pytest.raises(archive.ArchiveError, match=r"OWN/.*jsonl cannot be read"):
        sweep.run(experiment)
    monkeypatch.setattr(provenance, "listed", lambda: {"listed": [provenance.sources(SMALL)]})
    with pytest.raises(archive.ArchiveError, match=r"OWN cannot be written .*Is a directory"):
        unread()
    monkeypatch.setattr(provenance, "listed", dict)  # what is edited goes to the live runs
    (folders / "OWN" / archive.file_name(SMALL)).rmdir()
    (folders / "LIVE").write_text("a file")
    for train in (unread, lambda: sweep.live(SMALL, 0)):
        with pytest.raises(archive.ArchiveError, match=r"LIVE cannot be written .*File exists"):
            train()


def test_a_disk_that_is_full_is_said_before_anything_is_trained(folders, monkeypatch):
    monkeypatch.setattr(pool, "train", lambda *_: pytest.fail("trained"))
    experiment = Experiment("some", (SMALL,), tuple(range(10)))
    needed = 10 * archive._most_bytes(SMALL)
    for size in [0, 10**5, *range(needed - 9000, needed, 999), needed - 1]:
        with at_most(size), pytest.raises(archive.ArchiveError, match=r"File too large.*make room"):
            sweep.run(experiment)
    assert not list(folders.rglob("*.jsonl"))


def test_a_disk_that_others_fill_meanwhile_loses_nothing_that_is_finished(folders, monkeypatch):
    """It stops the sweep at the record that it has no room for; those before it are kept."""
    ended = []
    monkeypatch.setattr(provenance, "listed", lambda: {"listed": [provenance.sources(SMALL)]})

    def some(runs, _):
        try:
            for number, run in enumerate(runs):
                with at_most(10**9 if number < 3 else 10):
                    yield known(*run)
        finally:
            ended.append(number)

    monkeypatch.setattr(pool, "train", some)
    with pytest.raises(archive.ArchiveError, match=r"make room on its disk; what was written"):
        sweep.run(Experiment("some", (SMALL,), tuple(range(10))))
    assert [key[1] for key in archive.read([folders / "OWN"])] == [0, 1, 2] and ended == [3]


@contextmanager
def at_most(size):
    """No file of this process can grow beyond so many bytes, as if the disk were full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_arms_that_are_scored_differently_are_trained_once(monkeypatch):
    both = [dataclasses.replace(SMALL, norm="batch", evaluation=e) for e in ("running", "batch")]
    found = []

    def train(arms, seed):
        found.append(arms)
        return [known(arm, seed) for arm in arms]

    monkeypatch.setattr(worker, "run_each", each(train))
    records = list(pool.train([(arm, 3) for arm in [SMALL, *both]]))
    assert set(found) == {(SMALL,), tuple(both)} and len(found) == 2 and len(records) == 3
