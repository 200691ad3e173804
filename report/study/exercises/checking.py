"""What the sheet calls: `check(function)` prints the answer."""

from collections.abc import Callable

from report.study.exercises import answers, calling
from report.study.exercises.answers import Answer
from report.study.exercises.calling import NoAnswer
from report.study.exercises.catalogue import EXERCISES

SEED = 0


def check(function: Callable) -> None:
    """Print whether the function is right, and if not, which mistake is in it.

    Its name says which exercise it solves; its arguments and outputs are those of the sheet.
    """
    print(answer(function).text)


def answer(function: Callable) -> Answer:
    """The answer to a function that has the name of an exercise."""
    name = str(getattr(function, "__name__", type(function).__name__))
    if name not in EXERCISES:
        why = f"{name} is no exercise; check takes a function named {', '.join(EXERCISES)}."
        return Answer(False, why, why)
    exercise = EXERCISES[name]
    try:
        inputs = [*exercise.inputs(SEED), *exercise.large(SEED)]
        return answers.judge(exercise, SEED, calling.outputs(function, exercise, inputs))
    except NoAnswer as error:
        return answers.refused(exercise, str(error))
