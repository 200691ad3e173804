"""An exercise: its formula, a reference with switches, and the mistakes that are known.

A mistake is a setting of one switch. Every one, and every pair of different switches, is tried on
the same inputs as the student's function; those that give its outputs explain them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

TOLERANCE = 3e-5  # above float32's rounding, below what any mistake makes: a test holds it there

Arrays = tuple[np.ndarray, ...]


class Fault(NamedTuple):
    """A mistake: the setting of a switch, what to say of it, the line of the formula."""

    switch: str
    value: object
    says: str
    line: int


class Property(NamedTuple):
    """What must hold of `(inputs, outputs, right)`, one input at a time; what it means; a hint."""

    says: str
    means: str
    hint: str
    holds: Callable[[dict, dict, dict], bool]


def close(found, right) -> bool:
    """Within a ten-thousandth."""
    return np.allclose(found, right, rtol=1e-4, atol=1e-4)


def same(*names: str) -> Callable[[dict, dict, dict], bool]:
    """A property's `holds`: these outputs are right, in relation to their largest number."""

    def holds(given, found, right):
        sizes = {name: max(1.0, abs(right[name]).max()) for name in names}
        return all(close(found[name] / sizes[name], right[name] / sizes[name]) for name in names)

    return holds


FINITE = Property(
    "all numbers are finite", "nothing is divided by 0, and no root is taken of a negative number",
    "print what you divide by",
    lambda given, found, right: all(np.isfinite(values).all() for values in found.values()),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Exercise:
    """What is asked of the function `name`, with everything needed to judge its outputs.

    reference: `(*arguments, **switches)` to a tuple of arrays, in float64
    inputs: a seed to the inputs, small ones first
    large: of these, whose mean is large, only a remark is made
    together: what to say of two mistakes that are one, by their settings
    of_the_tape: outputs after the first are the tape's gradients
    """

    number: int
    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    formula: tuple[str, ...]
    reference: Callable[..., Arrays]
    faults: tuple[Fault, ...]
    inputs: Callable[[int], list[tuple]]
    properties: tuple[Property, ...]
    large: Callable[[int], list[tuple]] = lambda seed: []
    together: dict[frozenset, str] = field(default_factory=dict)
    of_the_tape: bool = False

    @property
    def title(self) -> str:
        """Its number and the function's name."""
        return f"{self.number} {self.name}"

    def right(self, given: tuple, *faults: Fault) -> Arrays:
        """The outputs that the formula has for this input, or those with these mistakes."""
        with np.errstate(all="ignore"):
            return self.reference(*given, **{fault.switch: fault.value for fault in faults})

    def mistakes(self) -> Iterator[tuple[Fault, ...]]:
        """Every mistake and every pair of mistakes."""
        yield from ((fault,) for fault in self.faults)
        for pair in combinations(self.faults, 2):
            if pair[0].switch != pair[1].switch:
                yield pair

    def say(self, faults: tuple[Fault, ...]) -> str:
        """The mistakes in words."""
        if len(faults) == 1:
            return faults[0].says
        one = self.together.get(frozenset((fault.switch, fault.value) for fault in faults))
        first, second = (fault.says for fault in faults)
        return one or f"Two mistakes together. First: {first} Second: {second}"


# Comparing ---------------------------------------------------------------------------------------


def flat(outputs: Iterable[Arrays]) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of these outputs, and for each the largest of its array, 1 at least.

    Errors are relative to the latter. A number that is not finite is equal to its like alone.
    """
    arrays = [np.asarray(array, float) for one in outputs for array in one]
    sizes = [np.max(abs(array), initial=1.0, where=np.isfinite(array)) for array in arrays]
    numbers = np.concatenate([array.ravel() for array in arrays])
    finite = np.nan_to_num(numbers, nan=1e300, posinf=1e299, neginf=-1e299)
    return finite, np.repeat(sizes, [array.size for array in arrays])


def error(exercise: Exercise, seed: int, outputs: list[Arrays]) -> float:
    """The largest difference from the formula in float64."""
    right, sizes = flat(exercise.right(given) for given in exercise.inputs(seed))
    return float(np.max(abs(flat(outputs)[0] - right) / sizes))


def explanations(exercise: Exercise, seed: int, outputs: list[Arrays]) -> list[tuple[Fault, ...]]:
    """The mistakes that give these outputs on all inputs: single ones, and pairs if none does."""
    mistakes, numbers, sizes = _candidates(exercise, seed)
    errors = np.max(abs(numbers - flat(outputs)[0]) / sizes, axis=1)
    found = [mistakes[i] for i in np.flatnonzero(errors < TOLERANCE)]
    fewest = min(map(len, found), default=0)
    return [faults for faults in found if len(faults) == fewest]


@cache
def _candidates(exercise: Exercise, seed: int) -> tuple[list, np.ndarray, np.ndarray]:
    mistakes, inputs = [*exercise.mistakes()], exercise.inputs(seed)
    found = [flat(exercise.right(given, *faults) for given in inputs) for faults in mistakes]
    return mistakes, *map(np.stack, zip(*found, strict=True))
