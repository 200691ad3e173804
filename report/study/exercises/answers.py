"""What a student is told: right, or which mistake, and the smallest input that shows it."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from report.study.exercises.exercise import TOLERANCE, Arrays, Exercise, error, explanations, flat

VISIBLE = 1e-3  # a difference that four digits show
DOUBLE = 1e-9  # what is computed in float64 has a smaller error
FEW = 12  # numbers that are shown in full


class Answer(NamedTuple):
    """Whether it is right, the diagnosis in a line, and the whole answer."""

    right: bool
    diagnosis: str
    text: str


def refused(exercise: Exercise, why: str) -> Answer:
    """The answer where there are no outputs to judge: the one sentence that says why."""
    return Answer(False, why, f"{exercise.name}: {why}")


def judge(exercise: Exercise, seed: int, outputs: list[Arrays]) -> Answer:
    """The answer to a function's outputs on `exercise.inputs(seed)` and `exercise.large(seed)`."""
    inputs, large = exercise.inputs(seed), exercise.large(seed)
    rights = [exercise.right(given) for given in [*inputs, *large]]
    remarks = {}
    for name, said, fits in _of_other_shape(exercise, outputs, rights):
        if not fits:
            return refused(exercise, said)
        remarks.setdefault(name, f"But {said}")
    found = [
        tuple(array.reshape(expected.shape) for array, expected in zip(arrays, right, strict=True))
        for arrays, right in zip(outputs, rights, strict=True)
    ]
    worst = error(exercise, seed, found[: len(inputs)])
    if not worst < TOLERANCE:
        return _wrong(exercise, seed, [*zip(inputs, found, rights, strict=False)])
    if large and worst < DOUBLE:
        lost = _difference(found[-1], rights[-1])
        if lost > 1e-7:  # E[x²] − E[x]²
            remarks["large"] = (
                f"But where x has the mean 1e6 the error is {lost:.0e}: average (x - mean)**2, "
                "which loses no digits, in place of x**2."
            )
    text = [
        f"{exercise.name} is right: on {len(inputs)} inputs the largest error against the formula "
        f"in float64 is {worst:.1g}.",
        "What holds: " + "; ".join(known.says for known in exercise.properties) + ".",
        *remarks.values(),
    ]
    return Answer(True, " ".join(["right.", *remarks.values()]), "\n".join(text))


def _of_other_shape(
    exercise: Exercise, outputs: list[Arrays], rights: list[Arrays]
) -> Iterator[tuple[str, str, bool]]:
    """Each output of another shape than the right one: its name, what to say, whether it fits.

    It fits if only axes of length 1 are missing or too many.
    """
    for arrays, right in zip(outputs, rights, strict=True):
        for name, array, expected in zip(exercise.outputs, arrays, right, strict=True):
            if array.shape == expected.shape:
                continue
            said = f"{name} has the shape {array.shape} and should have {expected.shape}."
            fits = np.squeeze(array).shape == np.squeeze(expected).shape
            if not fits and array.shape in {other.shape for other in right}:
                said += f" Are the outputs in the order {', '.join(exercise.outputs)}?"
            yield name, said, fits


def _difference(found: Arrays, right: Arrays) -> float:
    (a, _), (b, sizes) = flat([found]), flat([right])
    return float(np.max(abs(a - b) / sizes))


def _wrong(exercise: Exercise, seed: int, cases: list[tuple]) -> Answer:
    known = explanations(exercise, seed, [found for _, found, _ in cases])
    if known:
        diagnosis = " Or, which gives the same numbers: ".join(map(exercise.say, known[:3]))
        lines = sorted({fault.line for faults in known[:3] for fault in faults})
        said = [
            f"{exercise.name} is not right yet. {diagnosis}",
            *(f"    {exercise.formula[line]}" for line in lines),
        ]
        shown = _first(cases, VISIBLE) or _first(cases, TOLERANCE)
    else:
        failing, shown = _failing(exercise, cases)
        diagnosis = f"This should hold, and does not: {failing.says}."
        said = [
            f"{exercise.name} is not right yet, and the mistake is not one that we know.",
            diagnosis,
            f"It means: {failing.means}.",
            f"A hint: {failing.hint}.",
        ]
    return Answer(False, diagnosis, "\n".join([*said, *_shown(exercise, shown)]))


def _first(cases: list[tuple], visible: float) -> tuple | None:
    """The first, so the smallest, input whose outputs differ by so much."""
    return next((case for case in cases if _difference(*case[1:]) > visible), None)


def _failing(exercise: Exercise, cases: list[tuple]) -> tuple:
    """The first property that fails, and the smallest input where it does."""
    with np.errstate(all="ignore"):
        for known in exercise.properties:
            for given, found, right in cases:
                named = dict(zip(exercise.arguments, given, strict=True))
                both = (dict(zip(exercise.outputs, one, strict=True)) for one in (found, right))
                if not known.holds(named, *both):
                    return known, (given, found, right)
    # A property allows more than the tolerance does.
    return exercise.properties[-1], _first(cases, TOLERANCE)


def _shown(exercise: Exercise, case: tuple) -> list[str]:
    """The input, and each output that differs there: yours and the right one."""
    given, found, right = case
    lines = ["The smallest of our inputs that shows it:"]
    for argument, value in zip(exercise.arguments, given, strict=True):
        lines.append(f"    {argument} = {_written(value)}")
    for name, yours, expected in zip(exercise.outputs, found, right, strict=True):
        if _difference((yours,), (expected,)) > TOLERANCE:
            if yours.size > FEW:
                at = np.unravel_index(np.argmax(abs(yours - expected)), yours.shape)
                name, yours, expected = (
                    f"{name}[{', '.join(map(str, at))}]",
                    yours[at],
                    expected[at],
                )
            lines += [
                f"yours:  {name} = {_written(yours)}",
                f"right:  {name} = {_written(expected)}",
            ]
    return lines


def _written(value) -> str:
    if not isinstance(value, np.ndarray):
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    if value.size > FEW:
        return f"random numbers of shape {value.shape}"
    text = np.array2string(value + 0.0, precision=4, separator=", ", suppress_small=True)
    return " ".join(text.split())
