"""The benchmark with contenders that only pretend, and the true ones for five steps."""

import io
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from normlib import data
from normlib.arm import Arm
from report.bench import __main__ as bench
from report.bench import (
    alone,
    contenders,
    keras_fit,
    ours,
    parts,
    problem,
    published,
    tables,
    targets,
    torch_venv,
)
from report.bench.contenders import FREE, NORMS, PLAIN, Contender, Torch
from report.bench.protocol import load
from report.bench.race import Result, fault, race

QUIET = lambda *_: None  # noqa: E731
ROUNDS = 3


@pytest.fixture(scope="module")
def five_steps():
    return problem.make(steps=5, blocks=2)


@pytest.fixture
def folder(five_steps, tmp_path):
    problem.save(five_steps, tmp_path / "problem.npz")
    return tmp_path


@pytest.fixture
def fake(folder):
    def make(name, seconds=(9, 1, 1, 1), losses=(2, 1, 1, 1), fails_at=None, **changes):
        options = {"name": name, "seconds": seconds, "losses": losses, "fails_at": fails_at}
        options |= {"log": str(folder / "log")}
        made = Contender(name, "tests.report.bench.fake_contender", options, norms=("none",))
        return replace(made, **changes)

    return make


@pytest.fixture
def held(folder):
    def hold(*fakes, **options):
        groups = race(list(fakes), folder / "problem.npz", ROUNDS, QUIET, **options)
        return {result.contender.name: result for result in groups["none"]}

    return hold


def test_contenders_and_norms_take_turns(fake, folder):
    some = [fake("a", norms=("none", "BN")), fake("b"), fake("c", norms=("none", "BN"))]
    groups = race(some, folder / "problem.npz", ROUNDS, QUIET)
    assert (folder / "log").read_text() == "abcac" * (ROUNDS + 1)
    names = {norm: [r.contender.name for r in results] for norm, results in groups.items()}
    assert names == {"none": ["a", "b", "c"], "BN": ["a", "c"]}
    assert all(len(r.milliseconds) == ROUNDS for results in groups.values() for r in results)


def test_times_are_medians_of_the_rounds_without_the_warm_up(fake, held):
    (result,) = held(fake("a", seconds=(99, 3, 1, 2))).values()
    assert result.milliseconds == [300, 100, 200]
    assert result.median == pytest.approx(200)


def test_a_ratio_is_taken_within_each_round(fake, held):
    """The second round is slow for both; medians of each would give 1.5."""
    found = held(fake("a", seconds=(9, 1, 8, 2)), fake("b", seconds=(9, 3, 24, 2)))
    assert found["b"].over(found["a"]).tolist() == pytest.approx([3, 3, 1])


def test_side_by_side_the_slower_process_counts_and_both_train(fake, held, folder):
    (result,) = held(fake("a"), processes=2).values()
    assert (folder / "log").read_text() == "aa" * (ROUNDS + 1)
    assert result.milliseconds == [200] * ROUNDS


@pytest.mark.parametrize("block", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_one_that_fails_is_missing_with_its_reason_and_the_others_go_on(fake, held, block):
    found = held(fake("a"), fake("b", fails_at=block), fake("c"))
    assert fault(found["b"], found["a"]) == "missing: ValueError: no C++ compiler"
    assert found["c"].milliseconds == [100] * ROUNDS and not fault(found["c"], found["a"])


def test_one_that_could_not_be_installed_is_missing_and_never_started(fake, held, folder):
    found = held(fake("a"), fake("b", missing="no network"))
    assert fault(found["b"], found["a"]) == "missing: no network"
    assert "b" not in (folder / "log").read_text()


def test_another_loss_is_found(fake, held):
    losses = {
        "": (2.001, 1, 1, 1.04),
        "another network: a loss of its first 3 steps is 1.5e-03 off": (2.003, 1, 1, 1),
        "another network: a loss of its first 3 steps is nan off": (np.nan, 1, 1, 1),
        "trains differently: its last mean loss is 1.0e-01 off": (2, 1, 1, 1.1),
    }
    found = held(fake("ours"), *(fake(why, losses=some) for why, some in losses.items()))
    assert {why: fault(found[why], found["ours"]) for why in losses} == {w: w for w in losses}


def result(name, milliseconds, missing="", loss=1.0):
    contender = Contender(name, "", missing=missing)
    return Result(contender, "BN", missing, [*milliseconds], [[loss] * 10] * 4)


def group(free=(10, 10, 10), plain=(20, 20, 20), keras=(30, 30, 30), **torch):
    return [result(PLAIN, plain), result(FREE, free), result("Keras fit", keras),
            *(result(f"PyTorch, {name}", **options) for name, options in torch.items()),
            result("the published script's way", (1, 1, 1))]  # fmt: skip


def faster(results, least=1.8):
    row = targets._faster("a step", results, least)
    return row["met"], row["measured"]


def test_a_free_norm_is_held_against_the_fastest_peer_in_every_round():
    assert faster(group()) == ("yes", "3.00 (3.00 to 3.00, Keras fit)")
    found = faster(group(eager={"milliseconds": (30, 17.99, 17.99)}))
    assert found == ("no", "1.79 (1.79 to 3.00, PyTorch, eager)")  # cut, not rounded


def test_a_target_without_one_of_the_peers_is_not_shown_unless_missed():
    gone = {"milliseconds": (1, 1, 1), "missing": "no network"}
    other = {"milliseconds": (1, 1, 1), "loss": 2.0}
    for absent in (gone, other):
        answer = ("not shown", "3.00 (3.00 to 3.00, Keras fit), without PyTorch, eager")
        assert faster(group(eager=absent)) == answer
    assert faster(group(keras=(12, 12, 12), eager=gone))[0] == "no"
    assert faster([r for r in group(eager=gone) if r.contender.name != "Keras fit"]) == (
        "not shown", "without PyTorch, eager",
    )  # fmt: skip


def test_overhead_is_that_over_the_plain_arm_without_a_norm():
    groups = {"none": group(free=(9, 9, 9), plain=(10, 20, 10)), "BN": group(free=(11, 22, 12))}
    row = targets._overhead(groups, "BN", 0.11)
    assert (row["met"], row["measured"]) == ("yes", "10.0 % more (10.0 % to 20.0 %)")
    assert targets._overhead(groups, "BN", 0.09)["met"] == "no"


def test_targets_of_memory():
    size, growth = targets._of_memory({"none": [1.0, 1.02], "BN, free": [1.3, 1.35]})
    assert (size["met"], size["measured"], growth["met"]) == ("yes", "1.35 GB (BN, free)", "no")


def test_every_promise_has_a_row_even_with_nothing_measured():
    gone = Torch(Path("nowhere"), missing="no network")
    groups = [
        {norm: [Result(c, norm, "failed") for c in made(gone) if norm in c.norms] for norm in NORMS}
        for made in (contenders.one_run, contenders.two_runs)
    ]
    step = dict.fromkeys(parts.PARTS, 1.0)
    rows = targets.rows(*groups, {"none": [1.0, 1.0]}, step)
    assert len(rows) == 2 * 5 + 4 + 2 + 1 and rows[-1]["measured"] == "4.00 of 6.00 ms"
    assert {row["met"] for row in rows[:-3]} == {"not shown"}
    committed = pd.read_csv(bench.COMMITTED / "benchmark-targets.csv")
    assert [*committed["what"]] == [row["what"] for row in rows]
    assert [*committed["target"]] == [row["target"] for row in rows]


def test_tables_say_what_counts_and_what_does_not(fake, held, tmp_path):
    found = held(fake("a"), fake("b", seconds=(9, 2, 2, 2)), fake("c", missing="no network"),
                 fake("d", losses=(3, 1, 1, 1)))  # fmt: skip
    ours = replace(found["a"].contender, name=PLAIN)
    found = {"a": replace(found["a"], contender=ours)} | {k: found[k] for k in "bcd"}
    (tmp_path / "benchmark-old.csv").write_text("of another time")
    rows = tables.of_race({"none": list(found.values())}, "step")
    (file,) = tables.write({"": rows}, tmp_path)
    assert not (tmp_path / "benchmark-old.csv").exists()
    table = pd.read_csv(file).set_index("contender")
    assert file.name == "benchmark.csv" and set(table["norm"]) == {"none"}
    assert table["median ms per step"].to_dict() == pytest.approx(
        {PLAIN: 100, "b": 200, "c": np.nan, "d": 100}, nan_ok=True
    )
    assert table["times ours"].to_dict() == pytest.approx(
        {PLAIN: 1, "b": 2, "c": np.nan, "d": np.nan}, nan_ok=True
    )
    assert table["times the fastest peer"].to_dict() == pytest.approx(
        {PLAIN: 0.5, "b": 1, "c": np.nan, "d": np.nan}, nan_ok=True
    )
    assert (
        table.loc["d", "loss, first block"] == 3
        and table.loc["d", "loss of ours, first block"] == 2
    )
    assert table.loc["c", "note"] == "missing: no network"
    assert re.match("another network", table.loc["d", "note"])


def test_losses_are_held_side_by_side_only_over_the_same_steps():
    few = Result(Contender("few", "m"), "none", "", [1.0], [[2.0, 4.0], [9.0, 9.0]])
    own = Result(Contender(PLAIN, "m"), "none", "", [1.0], [[2.0, 4.0, 9.0], [1.0, 1.0, 1.0]])
    row = tables.of_race({"none": [own, few]}, "step")[1]
    assert row["loss, first block"] == row["loss of ours, first block"] == 3
    assert "loss, last block" not in row and row["note"] == ""


@pytest.fixture(scope="module")
def losses(five_steps):
    """The losses of a contender's first block, in this process; each is trained once."""

    @cache
    def train(module, norm, **options):
        make = module.build({"options": options, "threads": 0}, five_steps)
        seconds, losses = make(norm)(0)
        assert seconds > 0
        return list(losses)

    with pytest.MonkeyPatch.context() as patch:
        for what in ("intra", "inter"):
            patch.setattr(f"tensorflow.config.threading.set_{what}_op_parallelism_threads", QUIET)
        yield train


@pytest.mark.parametrize("norm", contenders.OF_KERAS)
def test_keras_trains_the_same_network(losses, norm):
    expected = losses(ours, norm)
    found = losses(keras_fit, norm)
    assert len(found) == 5 and expected[-1] != expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("norm", ["none", "WN", "LN per channel"])
def test_the_free_arm_trains_the_same_network(losses, norm):
    np.testing.assert_allclose(
        losses(ours, norm, implementation="free"), losses(ours, norm), rtol=1e-3
    )


def test_ours_trains_as_many_blocks_as_there_are(monkeypatch):
    """More than a run has epochs."""
    monkeypatch.setattr(ours, "set_threads", QUIET)
    many = problem.make(steps=1, blocks=Arm().epochs + 2)
    train = ours.build({"options": {"implementation": "ours"}, "threads": 0}, many)("none")
    assert [len(list(train(block)[1])) for block in range(len(many.order))] == [1] * 6


@pytest.mark.slow
def test_the_published_scripts_way_trains_the_same_network(losses):
    found = losses(published, "none", steps=5)
    np.testing.assert_allclose(found, losses(ours, "none"), rtol=1e-3)


def test_the_problem_is_read_as_it_was_made(five_steps, folder):
    for saved, made in zip(load(str(folder / "problem.npz")), five_steps, strict=True):
        np.testing.assert_array_equal(saved, made)
    first, second = five_steps.minibatches(0), five_steps.minibatches(1)
    assert first.shape == (5, 100) and (first != second).any()
    assert sorted(first.ravel()) == sorted(second.ravel()) == list(range(500))


def test_the_parts_of_a_step_make_the_whole_step(monkeypatch):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(parts, "REPEATS", 2)
    monkeypatch.setattr(parts, "set_threads", lambda count: None)  # too late in this process
    took = {"convolution": 4.0, "dense layers": 2.0, "pooling": 1.0, "momentum": 1.0}
    took |= {"none": 15.0, "none, free": 14.0, "BN, free": 15.0}
    arms = {name: alone.BOTH[name] for name in ("none", "none, free", "BN, free")}
    blocks = [name for name, _ in parts._parts(parts.train.Trainer(
        arms["none"], 0, parts.data.load("quick")))]  # fmt: skip
    times = [took[name] for name in [*blocks, *arms]]
    each = iter(times * (parts.BLOCKS + 1))
    monkeypatch.setattr(parts, "_milliseconds", lambda run: next(each))
    found = parts.of_steps(arms)
    assert [sum(parts_of.values()) for parts_of in found.values()] == [15, 14, 15]
    assert [parts_of["norm"] for parts_of in found.values()] == [0, 0, 1]
    assert found["none"]["dense layers"] == 4 and set(found["none"]) == set(parts.PARTS)
    monkeypatch.undo()


def test_every_part_can_be_measured(monkeypatch):
    monkeypatch.setattr(parts, "REPEATS", 2)
    trainer = parts.train.Trainer(alone.BOTH["none"], 0, parts.data.load("quick"))
    for name, run in parts._parts(trainer):
        assert np.isfinite(run()), name
    before = trainer.model.get_weights()
    dict(parts._parts(trainer))["momentum"]()
    for old, new in zip(before, trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# Without PyTorch ---------------------------------------------------------------------------------


@pytest.fixture
def no_torch(monkeypatch):
    """A machine that reaches no PyTorch, and measures in no time; where it would write tables."""
    written = []

    def fail():
        raise OSError("no network")

    monkeypatch.setattr(torch_venv, "_set_up", fail)
    monkeypatch.setattr(bench, "measure", lambda torch: ({"targets": []}, ["PyTorch (missing)"]))
    monkeypatch.setattr(tables, "write", lambda found, folder: written.append(folder) or [])
    return written


@pytest.mark.parametrize(("answer", "measures"), [("y", True), ("n", False), ("", False)])
def test_without_pytorch_it_is_said_and_asked_first(
    no_torch, monkeypatch, capsys, answer, measures
):
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert bench.main([]) == (0 if measures else 1)
    said = capsys.readouterr().out
    assert "no PyTorch to measure against: no network" in said and "--torch-python" in said
    assert no_torch == [bench.OWN] * measures


def test_where_nobody_can_answer_nothing_is_measured(no_torch, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert bench.main([]) == 1 and not no_torch


def test_tables_without_a_peer_are_not_published(no_torch, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert bench.main(["--publish"]) == 1 and not no_torch  # said before anything is measured
    monkeypatch.setattr(torch_venv, "torch", lambda python: Torch(Path("python"), "2"))
    assert bench.main(["--publish"]) == 1 and no_torch == [bench.OWN]  # one failed on the way
    assert "for want of PyTorch (missing)" in capsys.readouterr().err
    monkeypatch.setattr(bench, "measure", lambda torch: ({"targets": []}, []))
    assert bench.main(["--publish"]) == 0 and no_torch[1:] == [bench.COMMITTED]


def test_a_python_without_pytorch_says_so():
    found = torch_venv.torch(Path(sys.executable))
    assert "No module named 'torch'" in found.missing and not found.version
    assert torch_venv.torch(Path("nowhere")).missing


def test_an_epoch_is_timed_by_more_of_them_than_a_run_has(monkeypatch):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    arm = replace(alone.BOTH["none, free"], profile="quick", batch_size=50)
    row = alone.epoch(arm, data.load("quick"), 110, arm.epochs + 1)
    assert (row["batch size"], row["images"]) == (50, 100)
    assert row["seconds per epoch"] == pytest.approx(row["ms per step"] / 1000 * 2)


@pytest.mark.slow
def test_a_measurement_that_fails_in_its_process_says_why(capfd):
    with pytest.raises(subprocess.CalledProcessError):
        alone.measure("memory", "BN, for a song")
    assert "KeyError: 'BN, for a song'" in capfd.readouterr().err
