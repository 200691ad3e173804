"""The canary: small archived runs, retrained, give the archived numbers."""

import pytest

from report.study import archive, comparisons, experiments, pool, provenance

QUICK = experiments.EXPERIMENTS["quick"]
SAMPLED = [arm for arm in QUICK.arms if arm.label in ("our BN", "our WN", "our LN")]


@pytest.mark.parametrize("arm", [
    SAMPLED[0], *(pytest.param(arm, marks=pytest.mark.slow) for arm in SAMPLED[1:])
], ids=lambda arm: arm.label)  # fmt: skip
def test_archived_quick_run_repeats(arm):
    archived = archive.read([archive.PUBLISHED])[arm, 0]
    (run,) = pool.train([(arm, 0)])
    if all(run.environment[k] == archived.environment[k] for k in run.environment if k != "python"):
        assert run.numbers() == archived.numbers()  # the same processor and versions: bit by bit
    assert comparisons.first_steps(run, archived) < comparisons.SLACK


@pytest.mark.parametrize("name", ["quick", "pilot"])
def test_archive_is_complete_and_computed_by_the_present_code(name):
    records = archive.read([archive.PUBLISHED])
    for key in experiments.EXPERIMENTS[name].runs():
        assert records[key].protocol == provenance.PROTOCOL, key
        assert provenance.equal(records[key].sources, provenance.sources(key[0])), key
