"""A norm of one's own, exactly as the notebook tells the reader to add it."""

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import tensorflow as tf

from report.study import archive, arms, experiments, figures, recording, sweep, your_norm

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "06_the_family_and_your_own.ipynb"


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The arm that the notebook's cell makes, in a file as a reader's cell has one."""
    (cell,) = (
        c for c in nbformat.read(NOTEBOOK, 4).cells if "own-norm" in c.metadata.get("tags", [])
    )
    file = tmp_path_factory.mktemp("own") / "reader.py"
    file.write_text(
        f"import tensorflow as tf\nfrom report.study import your_norm\n\n{cell.source}\n"
    )
    spec = importlib.util.spec_from_file_location("reader", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return replace(module.mine, profile="quick", epochs=1)


@pytest.mark.slow
def test_it_trains_in_worker_processes_and_is_drawn_as_theirs(mine, monkeypatch, tmp_path):
    monkeypatch.setattr(archive, "OWN", tmp_path)
    contest = (replace(arms.NONE.quick(), epochs=1), mine)
    archive.append(recording.run(contest[0], 0), tmp_path)
    records = sweep.run(experiments.Experiment("mine", contest, (0,)))
    assert [record.arm for record in records] == list(contest)
    assert records[1].test_accuracy != records[0].test_accuracy
    assert [file.name for file in tmp_path.glob("*.jsonl")] == ["epochs=1-profile=quick.jsonl"]
    axes = figures.per_epoch(records, "test_accuracy").axes[0]
    line = axes.get_lines()[-1]
    assert line.get_label() == "largest_norm, yours" and line.get_color() == figures.PINK


def test_it_is_known_by_its_code(mine):
    other = replace(mine, source=mine.source.replace("1e-5", "1e-4"))
    assert other != mine and hash(other) != hash(mine)


def test_its_layer_computes_it_and_trains_gamma_and_beta(mine):
    layer = your_norm.Normalization(mine.source)
    y = layer(tf.constant([[1.0, -4.0, 2.0]]))
    np.testing.assert_allclose(y, [[0.25, -1.0, 0.5]], rtol=1e-4)
    assert [v.name for v in layer.trainable_variables] == ["gamma", "beta"]


def test_the_arm_needs_the_code():
    with pytest.raises(ValueError, match="need each other"):
        arms.Arm(norm="own")


@pytest.mark.slow
def test_it_may_ignore_gamma_or_beta_and_still_trains():
    def plain(x, gamma, beta):
        return x / tf.sqrt(tf.reduce_mean(x**2, -1, keepdims=True) + 1e-5)

    record = recording.run(your_norm.arm(plain, profile="quick", epochs=1, batch_size=500), 0)
    assert record.diverged is None and len(record.test_accuracy) == 1


def test_what_it_defines_and_imports_inside_is_its_own():
    def whole(x, gamma, beta, epsilon=1e-5, *, power=2):
        from math import sqrt as root

        def size(y):
            return sum(tf.reduce_mean(abs(part) ** power) for part in (y, y))

        try:
            total = size(x) / root(4)
        except ValueError as error:
            raise error
        return gamma * x / (total + epsilon) + beta

    assert your_norm.arm(whole).source.startswith("def whole(")


OUTSIDE, EPSILON = np.ones(6), 1e-5


def helper(x):
    return x


def test_a_function_that_cannot_be_a_norm_is_one_sentence_that_says_why():
    def foreign(x, gamma, beta):
        return OUTSIDE * helper(x)

    def by_default(x, gamma, beta, epsilon=EPSILON):
        return x + epsilon

    def imported(x, gamma, beta):
        return x * math.pi

    @tf.function
    def decorated(x, gamma, beta):
        return x

    def shrinking(x, gamma, beta):
        return x[..., 0]

    def failing(x, gamma, beta):
        return tf.matmul(x, gamma)

    norm = lambda x, gamma, beta: x  # noqa: E731
    wrong = {
        foreign: "it takes OUTSIDE, helper from outside; define or import that inside it",
        by_default: "it takes EPSILON from outside",
        imported: "it takes math from outside",
        decorated.python_function: r"it is decorated, with @tf.function; leave that out",
        shrinking: r"for x of shape \(3, 4, 5, 6\) it returned shape \(3, 4, 5\)",
        failing: "MatMul",
        norm: "its source is no `def`",
        len: "in a cell",
    }
    for function, reason in wrong.items():
        with pytest.raises(ValueError, match=rf"^the norm .* failed: (.|\n)*{reason}"):
            your_norm.arm(function)
    with pytest.raises(ValueError, match=r"^placement must be one of"):
        your_norm.arm(norm, placement="input")


def test_one_that_gives_nan_has_diverged_and_is_no_result():
    def spoilt(x, gamma, beta):
        return gamma * x * np.nan + beta

    record = recording.run(your_norm.arm(spoilt, profile="quick", epochs=1), 0)
    assert record.diverged is not None and record.test_accuracy == []
