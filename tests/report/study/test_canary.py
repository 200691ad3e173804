"""The canary: small archived runs, retrained, give the archived numbers."""

from dataclasses import replace
from functools import cache

import pytest

from report.study import archive, experiments, live_runs, pool, provenance, worker

QUICK = experiments.EXPERIMENTS["quick"]
SAMPLED = [arm for arm in QUICK.arms if arm.label in ("our BN", "our WN", "our LN")]


@pytest.fixture(scope="module")
def trained():
    """Trains an arm with seed 0 in a process of its own, once."""
    return cache(lambda arm: next(pool.train([(arm, 0)])))


@pytest.mark.parametrize("arm", [
    SAMPLED[0], *(pytest.param(arm, marks=pytest.mark.slow) for arm in SAMPLED[1:])
], ids=lambda arm: arm.label)  # fmt: skip
def test_archived_quick_run_repeats(arm, trained):
    archived, run = archive.read([archive.COMMITTED])[arm, 0], trained(arm)
    if all(run.environment[k] == archived.environment[k] for k in run.environment if k != "python"):
        assert run.numbers() == archived.numbers()  # the same processor and versions: bit by bit
    assert live_runs.first_steps(run, archived) < live_runs.SLACK


@pytest.mark.slow
def test_runs_that_share_a_process_have_the_numbers_of_one_each_and_outlive_its_failure(trained):
    """Of BN, whose statistics and compiled expressions could be left over from the run before."""
    (bn,) = (arm for arm in SAMPLED if arm.label == "our BN")
    arms, kept = [replace(bn, evaluation="batch"), bn], []
    why = r"seed -1: its process ended with code 1(.|\n)*ValueError: .* whole"
    with pytest.raises(worker.RunFailed, match=why):
        worker.run_each(arms, [4, 0, -1], lambda _: None, kept.extend)
    assert [(r.arm, r.seed) for r in kept] == [(arm, seed) for seed in (4, 0) for arm in arms]
    batch, running = kept[2:]
    assert running.train_loss == batch.train_loss and running.test_loss != batch.test_loss
    assert running.environment["threads"] == 1
    assert running.numbers() == trained(bn).numbers()


@pytest.mark.parametrize("name", ["quick", "pilot"])
def test_archive_is_complete_and_computed_by_the_present_code(name):
    records = archive.read([archive.COMMITTED])
    for key in experiments.EXPERIMENTS[name].runs():
        assert records[key].protocol == provenance.PROTOCOL, key
        assert provenance.equal(records[key].sources, provenance.sources(key[0])), key
