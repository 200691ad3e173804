"""The benchmark with contenders that only pretend, and the true ones for five steps."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from normlib.arm import Arm
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
)
from report.bench.contenders import Contender, Torch
from report.bench.protocol import load
from report.bench.race import Result, fault, race

QUIET = lambda *_: None  # noqa: E731
ROUNDS = 3
KERAS, PYTORCH = targets.PEERS


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
        return replace(
            Contender(name, "none", "tests.report.bench.fake_contender", options), **changes
        )

    return make


@pytest.fixture
def held(folder):
    def hold(*fakes, **options):
        results = race(list(fakes), folder / "problem.npz", ROUNDS, QUIET, **options)
        return {result.contender.name: result for result in results}

    return hold


def test_contenders_take_turns_once_all_have_warmed_up(fake, held, folder):
    held(fake("a"), fake("b"), fake("c"))
    log = (folder / "log").read_text()
    assert sorted(log[:3]) == ["a", "b", "c"] and log[3:] == "abc" * ROUNDS


def test_times_are_medians_of_the_rounds_without_the_warm_up(fake, held):
    (result,) = held(fake("a", seconds=(99, 3, 1, 2))).values()
    assert result.milliseconds == [300, 100, 200]
    assert result.median == pytest.approx(200) and result.steps == 30


def test_a_ratio_is_taken_within_each_round(fake, held):
    """The second round is slow for both; medians of each would give 1.5."""
    found = held(fake("a", seconds=(9, 1, 8, 2)), fake("b", seconds=(9, 3, 24, 2)))
    assert found["b"].over(found["a"]) == pytest.approx(3)


def test_side_by_side_the_slower_process_counts_and_both_train(fake, held, folder):
    (result,) = held(fake("a"), processes=2).values()
    assert (folder / "log").read_text() == "aa" * (ROUNDS + 1)
    assert result.milliseconds == [200] * ROUNDS


@pytest.mark.parametrize("block", [0, 2])
def test_one_that_fails_is_missing_with_its_reason_and_the_others_go_on(fake, held, block):
    found = held(fake("a"), fake("b", fails_at=block), fake("c"))
    assert fault(found["b"], found["a"]) == "missing: ValueError: no C++ compiler"
    assert found["c"].milliseconds == [100] * ROUNDS and not fault(found["c"], found["a"])


def test_one_that_could_not_be_installed_is_missing_and_never_started(fake, held, folder):
    found = held(fake("a"), fake("b", missing="no network"))
    assert fault(found["b"], found["a"]) == "missing: no network"
    assert "b" not in (folder / "log").read_text()


@pytest.mark.parametrize(("losses", "why"), [
    ((2.001, 1, 1, 1.04), ""),
    ((2.003, 1, 1, 1), "another network: a loss of its first 3 steps is 1.5e-03 off"),
    ((np.nan, 1, 1, 1), "another network: a loss of its first 3 steps is nan off"),
    ((2, 1, 1, 1.1), "trains otherwise: its last mean loss is 1.0e-01 off"),
])  # fmt: skip
def test_another_loss_is_found(fake, held, losses, why):
    found = held(fake("a"), fake("b", losses=losses))
    assert fault(found["b"], found["a"]) == why


def result(name, milliseconds, norm="none", module="report.bench.ours", missing="", loss=1.0):
    contender = Contender(name, norm, module, missing=missing)
    return Result(contender, missing, [milliseconds] * 3, [[loss] * 10] * 4)


def faster(*peers):
    own = result("ours", 10)
    row = targets.faster("a step", [own, *peers], own, 1.8)
    return row["met"], row["measured"]


def test_a_target_is_held_against_the_fastest_peer():
    keras, torch = (
        result("Keras", 30, module=KERAS), result("torch", 20, module=PYTORCH),
    )  # fmt: skip
    assert faster(keras, torch) == ("yes", "2.00× (torch)")
    assert faster(keras, result("torch", 17.99, module=PYTORCH)) == ("no", "1.79× (torch)")
    slow = result("the published script's way", 1, module="report.bench.published")
    assert faster(keras, torch, slow)[0] == "yes"


def test_a_target_without_one_of_the_peers_is_not_shown_unless_missed():
    keras = result("Keras", 30, module=KERAS)
    gone = result("torch", 1, module=PYTORCH, missing="no network")
    other = result("torch", 1, module=PYTORCH, loss=2.0)
    assert faster(keras, gone) == ("not shown", "3.00× (Keras); without torch")
    assert faster(keras, other) == ("not shown", "3.00× (Keras); without torch")
    assert faster(gone) == ("not shown", "without torch")
    assert faster(result("Keras", 12, module=KERAS), gone)[0] == "no"


def test_targets_on_overhead_memory_imports_and_scaling():
    batch = [result("ours", 16, "batch"), result("ours, folded", 13, "batch"), result("ours", 10)]
    assert targets.overhead(batch, batch[0], 0.6)["measured"] == "60%"
    assert targets.overhead(batch, batch[1], 0.25)["met"] == "no"
    size, growth = targets.of_memory({"none": [1.0, 1.01], "batch": [1.4, 1.45]})
    assert (size["met"], size["measured"], growth["met"]) == ("yes", "1.45 GB (BN)", "no")
    (module,) = targets.of_imports({"normlib": 0.31})
    assert module["met"] == "no"
    rows = [{"varied": "images", "norm": "none", "images": n, "µs per image": t}
            for n, t in ((1000, 120.0), (60000, 100.0))]  # fmt: skip
    assert targets.of_scaling(rows)[0]["measured"] == "20% off"


def test_every_promise_has_a_row_even_with_nothing_measured():
    gone = Torch(Path("nowhere"), "no network")
    groups = [
        {norm: [Result(c, "failed") for c in group] for norm, group in made(gone).items()}
        for made in (contenders.step_groups, contenders.sweep_groups)
    ]
    rows = targets.of_races(*groups)
    assert len(rows) == 13 and {row["met"] for row in rows} == {"not shown"}


def test_tables_say_what_counts_and_what_does_not(fake, held, tmp_path):
    found = held(fake("a"), fake("b", seconds=(9, 2, 2, 2)), fake("c", missing="no network"),
                 fake("d", losses=(3, 1, 1, 1)))  # fmt: skip
    rows = tables.of_races({"none": list(found.values())}, "step")
    (file,) = tables.write({"": rows}, tmp_path)
    table = pd.read_csv(file).set_index("contender")
    assert file.name == "benchmark.csv" and set(table["norm"]) == {"none"}
    assert table["median ms per step"].to_dict() == pytest.approx(
        {"a": 100, "b": 200, "c": np.nan, "d": 100}, nan_ok=True
    )
    assert table["times ours"].to_dict() == pytest.approx(
        {"a": 1, "b": 2, "c": np.nan, "d": np.nan}, nan_ok=True
    )
    assert (
        table.loc["d", "loss, first block"] == 3
        and table.loc["d", "loss of ours, first block"] == 2
    )
    assert table.loc["c", "note"] == "missing: no network"
    assert re.match("another network", table.loc["d", "note"])


def test_losses_are_held_side_by_side_only_over_the_same_steps():
    few = Result(Contender("few", "none", "m"), "", [1.0], [[2.0, 4.0], [9.0, 9.0]])
    own = Result(Contender("ours", "none", "m"), "", [1.0], [[2.0, 4.0, 9.0], [1.0, 1.0, 1.0]])
    row = tables.of_races({"none": [own, few]}, "step")[1]
    assert row["loss, first block"] == row["loss of ours, first block"] == 3
    assert "loss, last block" not in row and row["note"] == ""


@pytest.fixture
def losses(five_steps, monkeypatch):
    """The losses of a contender's first block, in this process."""
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", QUIET)
    monkeypatch.setattr("tensorflow.config.threading.set_inter_op_parallelism_threads", QUIET)

    def train(module, norm, **options):
        spec = {"norm": norm, "options": options, "threads": 0}
        seconds, losses = module.build(spec, five_steps)(0)
        assert seconds > 0
        return list(losses)

    return train


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_keras_trains_the_same_network(losses, norm):
    expected = losses(ours, norm)
    found = losses(keras_fit, norm, jit_compile=False)
    assert len(found) == 5 and expected[-1] != expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_the_published_scripts_way_trains_the_same_network(losses):
    found = losses(published, "none", steps=5)
    np.testing.assert_allclose(found, losses(ours, "none"), rtol=1e-3)


def test_the_problem_is_read_as_it_was_made(five_steps, folder):
    for saved, made in zip(load(str(folder / "problem.npz")), five_steps, strict=True):
        np.testing.assert_array_equal(saved, made)
    first, second = five_steps.minibatches(0), five_steps.minibatches(1)
    assert first.shape == (5, 100) and (first != second).any()
    assert sorted(first.ravel()) == sorted(second.ravel()) == list(range(500))


def test_import_time_leaves_tensorflow_out():
    assert 0 < alone.import_seconds("normlib.arm") < 1


def test_the_parts_of_a_step_and_the_rest_make_the_whole_step(monkeypatch):
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(parts, "ARMS", {"BN": Arm("batch")})
    monkeypatch.setattr(parts, "REPEATS", 2)
    monkeypatch.setattr(parts, "set_threads", lambda count: None)  # too late in this process
    times = iter(range(1, 1000))
    monkeypatch.setattr(parts, "_milliseconds", lambda block: (block(), float(next(times)))[1])
    (found,) = parts.of_steps().values()
    blocks = next(times) // (parts.BLOCKS + 1)
    assert sum(found.values()) == pytest.approx(blocks * (1 + parts.BLOCKS / 2 + 0.5))
    assert min(found[part] for part in parts.PARTS[:-1]) > 0
