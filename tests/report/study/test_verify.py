"""`lab.py verify` tells equal runs from close and different ones."""

import json
import sys
from dataclasses import replace

import pytest
from made_runs import record

from normlib.arm import Arm
from report.study import archive, pool, verify


def scaled(record, factor, step=1):
    losses = [loss * factor if i >= step else loss for i, loss in enumerate(record.loss_every_10)]
    return replace(record, loss_every_10=losses, seconds=0.0)


def test_agreement(tiny_record):
    assert verify.agreement(scaled(tiny_record, 1), tiny_record) == "bitwise equal"
    assert verify.agreement(scaled(tiny_record, 1 + 5e-4), tiny_record).startswith("the first 100")
    assert verify.agreement(scaled(tiny_record, 1 + 2e-3), tiny_record).startswith("the first 10 ")
    assert verify.agreement(scaled(tiny_record, 1 + 2e-2), tiny_record) == "different"
    shorter = replace(tiny_record, loss_every_10=tiny_record.loss_every_10[:1])
    assert verify.agreement(shorter, tiny_record) == "different"


def test_steps_after_the_hundredth_may_drift(tiny_record):
    longer = replace(tiny_record, loss_every_10=[1.0] * 20)
    assert verify.agreement(scaled(longer, 2, step=11), longer).startswith("the first 100")
    assert verify.agreement(scaled(longer, 2, step=10), longer).startswith("the first 10 ")
    assert verify.agreement(scaled(longer, 2, step=2), longer).startswith("the first 10 ")
    assert verify.agreement(scaled(longer, 2, step=1), longer) == "different"


def test_where_the_loss_rose_at_first_another_processor_is_held_to_the_first_step(tiny_record):
    here = tiny_record.environment
    rose, fell = (replace(tiny_record, loss_every_10=losses) for losses in ([2, 3], [3, 2]))
    elsewhere = [replace(r, environment=here | {"cpu": "another"}) for r in (rose, fell)]
    assert verify.agreement(scaled(rose, 2, step=1), elsewhere[0]) == verify.UNSTABLE
    assert verify.agreement(scaled(rose, 2, step=1), rose) == "different"
    assert verify.agreement(scaled(rose, 2, step=0), elsewhere[0]) == "different"
    assert verify.agreement(replace(rose, loss_every_10=[2]), elsewhere[0]) == "different"
    assert verify.agreement(scaled(fell, 2, step=1), elsewhere[1]) == "different"


def scored(record, accuracy):
    return replace(record, test_accuracy=[0.5, accuracy / 100], seconds=0.0)


def test_a_close_run_must_score_as_the_arms_seeds_do(tiny_record):
    """Of 88 and 90 %, four each, a next is within 8.94 points of 89 %, 9 999 times in 10 000."""
    seeds = [scored(tiny_record, accuracy) for accuracy in (88, 90) * 4]
    others = [scored(replace(tiny_record, arm=Arm("weight")), accuracy) for accuracy in (10, 99)]

    def agreement(accuracy, seeds):
        return verify.agreement(scaled(scored(tiny_record, accuracy), 1.0001), seeds[0], seeds)

    assert agreement(97.9, seeds + others).startswith("the first 100")
    assert agreement(98.0, seeds + others) == agreement(80.0, seeds + others) == verify.STRAYS
    assert agreement(20, seeds[:4]).startswith("the first 100")  # too few to show a spread
    far = scaled(scored(tiny_record, 20), 2)
    assert verify.agreement(far, seeds[0], seeds) == "different"
    lost = replace(scaled(seeds[0], 1.0001), diverged=3, test_accuracy=[])
    assert verify.agreement(lost, seeds[0], seeds) == verify.STRAYS
    assert verify.agreement(lost, seeds[0], [*seeds, lost]).startswith("the first 100")


def test_a_run_that_strays_fails_the_command(tiny_record, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(archive, "COMMITTED", tmp_path)
    monkeypatch.setattr(sys, "argv", ["verify", "1"])
    monkeypatch.setattr(
        pool,
        "train",
        lambda runs: [replace(scored(scaled(tiny_record, 1.0001), 20), seed=runs[0][1])],
    )
    for seed in range(6):
        archive.append(scored(replace(tiny_record, seed=seed), 80 + seed), tmp_path)
    assert verify.main() == 1
    assert f"1 of 1: {verify.STRAYS}, the code or" in capsys.readouterr().out


def test_a_run_that_diverges_again_is_equal(tiny_record):
    lost, again = (
        replace(tiny_record, diverged=11, test_loss=[], loss_every_10=[2.5, float("nan")])
        for _ in range(2)
    )
    assert verify.agreement(again, lost) == "bitwise equal"
    elsewhere = replace(again, loss_every_10=[2.5001, float("nan")])
    assert verify.agreement(elsewhere, lost).startswith("the first 100")
    assert verify.agreement(tiny_record, lost) == "different"


def test_equal_numbers_of_other_sources_are_equal_and_what_changed_is_named(
    tiny_record, monkeypatch, capsys
):
    environment = tiny_record.environment | {"cpu": "another", "keras": "4"}
    old = replace(tiny_record, sources="old", environment=environment)
    monkeypatch.setattr(pool, "train", lambda runs: [tiny_record])
    assert verify.verify([old]) == ["bitwise equal"]
    note = "(not as in the archive: keras, cpu, source code)"
    assert f"bitwise equal {note}\n" in capsys.readouterr().out
    assert verify.verify([tiny_record]) == ["bitwise equal"]
    assert "other" not in capsys.readouterr().out


@pytest.mark.slow
def test_archived_runs_are_retrained(tiny_arm, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(archive, "COMMITTED", tmp_path)
    (record,) = pool.train([(replace(tiny_arm, epochs=1), 3)])
    archive.append(record, tmp_path)
    assert verify.verify(verify.published()) == ["bitwise equal"]
    assert f"{record.arm.label}, seed 3: bitwise equal\n" in capsys.readouterr().out


def test_another_run_is_different(tiny_record, monkeypatch, capsys):
    monkeypatch.setattr(pool, "train", lambda runs: [scaled(tiny_record, 1.1, step=0)])
    assert verify.verify([tiny_record]) == ["different"]


@pytest.mark.parametrize(
    ("factor", "code", "said"),
    [(1, 0, "1 of 1: bitwise equal, as it must"), (1.1, 1, "1 of 1: different, the code")],
)
def test_the_command_says_what_it_means_and_fails_on_a_difference(
    factor, code, said, tiny_record, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(archive, "COMMITTED", tmp_path)
    monkeypatch.setattr(sys, "argv", ["verify", "2"])
    monkeypatch.setattr(pool, "train", lambda runs: [scaled(tiny_record, factor, step=0)])
    archive.append(replace(tiny_record, seconds=150.0), tmp_path)
    assert verify.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Retraining 1 archived runs: about 2:30 min." and said in lines[-1]


@pytest.mark.parametrize("count", ["0", "-2", "many"])
def test_nonsense_retrains_nothing(count, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["verify", count])
    with pytest.raises(SystemExit, match="2"):
        verify.main()


def test_an_empty_archive_is_no_proof(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(archive, "COMMITTED", tmp_path)
    monkeypatch.setattr(sys, "argv", ["verify"])
    with pytest.raises(SystemExit, match="no runs"):
        verify.main()


def test_a_record_that_carries_code_is_refused_and_its_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(archive, "COMMITTED", tmp_path)
    monkeypatch.setattr(sys, "argv", ["verify"])
    monkeypatch.setattr(pool, "train", lambda runs: pytest.fail("trained"))
    source = f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(x, gamma, beta):\n    return x\n"
    own = Arm("own", source=source, epochs=2, profile="quick")
    line = json.dumps(archive.encode(record(arm=own))).encode()
    line = line[:-1] + archive.MARK + archive._checksum(line) + b'"}\n'
    (tmp_path / "default.jsonl").write_bytes(line)
    with pytest.raises(
        SystemExit, match=r"^error: .*default\.jsonl line 1 is not a record .* code"
    ):
        verify.main()
    assert [file.name for file in tmp_path.iterdir()] == ["default.jsonl"]


def test_a_changed_record_ends_verify_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(archive, "COMMITTED", tmp_path)
    monkeypatch.setattr(sys, "argv", ["verify"])
    monkeypatch.setattr(pool, "train", lambda runs: pytest.fail("trained"))
    archive.append(record(), tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"1.25", b"1.26"))
    with pytest.raises(
        SystemExit, match=r"^error: .*line 1 is not a record \(its checksum does not"
    ):
        verify.main()
