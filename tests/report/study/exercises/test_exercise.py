"""Every mistake is named, alone and with another; a right solution is in reach of none."""

import numpy as np
import pytest
from mistakes import PROGRAMS, libraries, program

from report.study.exercises import calling
from report.study.exercises.catalogue import EXERCISES
from report.study.exercises.exercise import TOLERANCE, error, explanations, flat

every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
SOLVED = [(name, library) for name in EXERCISES for library in libraries(name)]
every_solution = pytest.mark.parametrize(("name", "library"), SOLVED)


def said_of(name, faults, library, seed=0):
    """The explanations of a program with these mistakes; None for edits that exclude each other."""
    exercise, function = EXERCISES[name], program(name, faults, library)
    if function is None:
        return None
    outputs = calling.outputs(function, exercise, exercise.inputs(seed))
    assert (error(exercise, seed, outputs) < TOLERANCE) == (not faults)  # no wrong one is right
    return explanations(exercise, seed, outputs)


@every_exercise
def test_every_mistake_has_a_program(exercise):
    _, edits = PROGRAMS[exercise.name]
    assert {fault[:2] for fault in exercise.faults} <= set(edits)
    assert all(0 <= fault.line < len(exercise.formula) for fault in exercise.faults)
    assert len({fault.says for fault in exercise.faults}) == len(exercise.faults)


@every_solution
def test_the_program_without_mistakes_is_right(name, library):
    assert said_of(name, (), library) == []


@pytest.mark.parametrize("name", EXERCISES)
def test_every_mistake_is_named(name):
    for fault in EXERCISES[name].faults:
        assert said_of(name, (fault,), libraries(name)[0]) == [(fault,)]


@pytest.mark.slow
@every_solution
@pytest.mark.parametrize("seed", [1, 2**31])
def test_every_mistake_is_named_in_every_library_on_any_inputs(name, library, seed):
    for fault in EXERCISES[name].faults:
        assert (fault,) in said_of(name, (fault,), library, seed)


@pytest.mark.slow
@every_solution
def test_of_all_pairs_95_in_100_are_named(name, library):
    """A pair of which only one mistake can be seen counts as not named, though that one is."""
    pairs = [faults for faults in EXERCISES[name].mistakes() if len(faults) == 2]
    said = {pair: said_of(name, pair, library) for pair in pairs}
    named = sum(pair in (found or ()) for pair, found in said.items())
    one = sum(bool(found) and set(found[0]) < set(pair) for pair, found in said.items())
    assert named >= 0.95 * (len(pairs) - one) and named >= 0.9 * len(pairs)
    assert sum(found is None for found in said.values()) <= 1


@every_exercise
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 9))]
)
def test_every_mistake_and_pair_is_far_from_right(exercise, seed):
    """Else the tolerance, or the inputs, would let one pass."""
    inputs = exercise.inputs(seed)
    right, sizes = flat(exercise.right(given) for given in inputs)
    for faults in exercise.mistakes():
        wrong, larger = flat(exercise.right(given, *faults) for given in inputs)
        away = np.max(abs(wrong - right) / np.maximum(sizes, larger))
        assert away > 30 * TOLERANCE, [fault[:2] for fault in faults]


def test_two_mistakes_that_are_one_are_said_as_one():
    exercise = EXERCISES["batch_norm"]
    named = {fault[:2]: fault for fault in exercise.faults}
    swapped = named["scale", "beta"], named["shift", "gamma"]
    assert exercise.say(swapped) == "gamma and beta are swapped."
    both = exercise.say((named["at", "none"], named["scale", "none"]))
    assert both.endswith("First: epsilon is left out. Second: gamma is left out.")


def test_the_inputs_are_uneven_and_their_numbers_change_with_the_seed():
    for exercise in EXERCISES.values():
        shapes = [np.shape(given[0]) for given in exercise.inputs(0)]
        assert len({shape[:2] for shape in shapes}) > 3
        assert np.size(exercise.inputs(0)[0][0]) <= 6  # small ones first
        last = (exercise.inputs(seed)[-1][0] for seed in (0, 1, 0))
        first, other, again = last
        assert np.array_equal(first, again) and not np.any(first == other)


def test_what_is_not_finite_equals_its_like_alone():
    numbers, sizes = flat([(np.array([np.nan, np.inf, -np.inf, 7.0]),)])
    assert len(set(numbers)) == 4 and np.isfinite(numbers).all() and set(sizes) == {7.0}
