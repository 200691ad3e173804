"""The words of an answer: the line of the formula, the smallest input, yours beside right."""

import numpy as np
import pytest

from report.study.exercises import answers
from report.study.exercises.answers import judge
from report.study.exercises.catalogue import EXERCISES

BATCH_NORM = EXERCISES["batch_norm"]
NAMED = {fault[:2]: fault for fault in BATCH_NORM.faults}


def outputs(change=lambda y: y, *faults, exercise=BATCH_NORM):
    """Those of the reference, the first of each changed."""
    inputs = [*exercise.inputs(0), *exercise.large(0)]
    found = [exercise.right(given, *(NAMED[fault] for fault in faults)) for given in inputs]
    return [(change(first), *rest) for first, *rest in found]


def same(y):
    return y


def test_a_mistake_is_shown_with_its_line_and_the_smallest_input():
    found = judge(BATCH_NORM, 0, outputs(same, ("count", "n - 1")))
    assert found.text.splitlines() == [
        "batch_norm is not right yet. Your variance divides by n − 1; batch norm divides by n.",
        "    variance = average of (x - mean)**2 over the batch, axis 0",
        "The smallest of our inputs that shows it:",
        "    x = [[1.], [3.]]",
        "    gamma = [1.]",
        "    beta = [0.]",
        "    epsilon = 3",
        "yours:  y = [[-0.4472], [ 0.4472]]",
        "right:  y = [[-0.5], [ 0.5]]",
    ]
    assert not found.right and found.diagnosis == NAMED["count", "n - 1"].says


def test_a_larger_input_is_shown_where_the_smallest_shows_nothing():
    found = judge(BATCH_NORM, 0, outputs(lambda y: y * (1 + 1e-6), ("scale", "none")))
    assert "    x = [[1., 0.], [3., 8.]]" in found.text.splitlines()


def test_of_a_large_input_one_number_is_shown():
    faults = ("at", 1e-3)
    small = outputs()[:5] + outputs(same, faults)[5:]  # seen on the last one alone
    found = judge(BATCH_NORM, 0, small).text
    assert "    x = random numbers of shape (6, 3)" in found and "yours:  y[" in found


def test_two_explanations_are_both_named():
    """Where there is one mean for everything, a sum divided by the number of others is the sum."""
    found = judge(BATCH_NORM, 0, outputs(same, ("axes", (0, 1)), ("count", "1")))
    assert "sums the squares" in found.diagnosis and "number of features" in found.diagnosis
    assert found.diagnosis.count(" Or, which gives the same numbers: ") == 1
    assert found.text.count("    mean = average") == 1  # each line of the formula once


def test_a_right_one_is_told_what_holds_and_its_error():
    found = judge(BATCH_NORM, 0, outputs(lambda y: y * (1 + 1e-7)))
    first, holds = found.text.splitlines()
    assert first.endswith("on 6 inputs the largest error against the formula in float64 is 1e-07.")
    assert "mean 0 in every feature; " in holds and found.right and found.diagnosis == "right."


def test_a_variance_that_cancels_is_right_with_a_remark():
    def lose(y):
        return y + 1e-5 * (y.shape == (8, 3))

    found = judge(BATCH_NORM, 0, outputs(lose))
    assert found.right and "But where x has the mean 1e6 the error is " in found.diagnosis
    single = judge(BATCH_NORM, 0, outputs(lambda y: lose(y) * (1 + 1e-7)))
    assert single.diagnosis == "right."  # float32 cannot do better


def test_a_shape_with_ones_is_right_with_a_remark_and_another_is_a_sentence():
    exercise = EXERCISES["weight_norm_backward"]
    found = judge(exercise, 0, [(dv, dg[None]) for dv, dg in outputs(exercise=exercise)])
    assert found.right
    assert found.diagnosis == "right. But dg has the shape (1, 1) and should have (1,)."
    wrong = judge(exercise, 0, [(dv, dv[0, 0]) for dv, _ in outputs(exercise=exercise)])
    assert wrong.text == "weight_norm_backward: dg has the shape () and should have (2,)."


def test_the_outputs_in_another_order_are_recognized_by_their_shapes():
    exercise = EXERCISES["weight_norm_backward"]
    found = judge(exercise, 0, [found[::-1] for found in outputs(exercise=exercise)])
    assert found.diagnosis == (
        "dv has the shape (1,) and should have (2, 1). Are the outputs in the order dv, dg?"
    )


UNKNOWN = {
    "all numbers are finite": lambda y: np.where(y > 0, y, np.nan),
    "(y - beta) / gamma has mean 0 in every feature": np.tanh,
    "(y - beta) / gamma has variance v / (v + epsilon)": lambda y: 1.3 * y - 0.3 * y.mean(0),
    "(y - beta) / gamma is a straight line over x in every feature, and it rises": (
        lambda y: y[::-1]
    ),
}


@pytest.mark.parametrize("says", UNKNOWN)
def test_an_unknown_mistake_is_the_first_property_that_fails(says):
    found = judge(BATCH_NORM, 0, outputs(UNKNOWN[says]))
    first, property_, means, hint, *_, yours, right = found.text.splitlines()
    assert first == "batch_norm is not right yet, and the mistake is not one that we know."
    assert property_.startswith(f"This should hold, and does not: {says}")
    assert found.diagnosis == property_ and means.startswith("It means: ")
    assert hint.startswith("A hint: ") and yours != right


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_every_exercise_has_an_answer_to_anything(exercise):
    """Numbers of the right shapes, and nothing right about them."""
    rng = np.random.default_rng(1)
    for scale in (0.0, 1.0, 1e30, np.nan, np.inf):
        inputs = [*exercise.inputs(0), *exercise.large(0)]
        shapes = [[a.shape for a in exercise.right(given)] for given in inputs]
        found = [tuple(scale * rng.normal(size=s) for s in one) for one in shapes]
        answer = judge(exercise, 0, found)
        assert not answer.right and answer.text.splitlines()[-1].startswith("right:  ")


def test_a_difference_within_every_propertys_reach_is_still_wrong():
    found = judge(BATCH_NORM, 0, outputs(lambda y: y + 2 * answers.TOLERANCE * abs(y).max()))
    assert not found.right and "yours:" in found.text
