"""Calls a student's function: arrays come back, or one sentence that says why there are none.

It takes NumPy arrays, tensors of TensorFlow or those of PyTorch, whichever the function is for.
"""

import importlib
import inspect
import linecache
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np

from report.study.exercises.exercise import Arrays, Exercise

SECONDS = 20  # for all inputs of a function; a loop over each element takes less than one


class NoAnswer(Exception):
    """There are no arrays to judge; the message is a sentence that says why."""


class _TooLong(BaseException):
    """The time is up; no `except Exception` of the student's stops this."""


def outputs(function: Callable, exercise: Exercise, inputs: list[tuple]) -> list[Arrays]:
    """Return the function's outputs on all inputs, as float64; raises NoAnswer."""
    call = _through_the_tape(function) if exercise.of_the_tape else function
    refused, raised = [], []
    for convert in _conversions(function, exercise):
        try:
            with _limited(SECONDS), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return [_called(call, exercise, given, convert) for given in inputs]
        except _TooLong:
            reason = f"it needs more than {SECONDS} seconds for a few small inputs"
            raise NoAnswer(f"{reason}: is there a loop without an end?") from None
        except KeyboardInterrupt:
            raise
        except NoAnswer as error:
            refused.append(str(error))
        except BaseException as error:  # whatever a function may raise
            raised.append(_said(error, function))
    raise NoAnswer((refused + raised)[0])


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise _TooLong when the time is up, and again, where this can be done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_):
        raise _TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# What the function is given ----------------------------------------------------------------------


def _conversions(function: Callable, exercise: Exercise) -> list[Callable]:
    """What may be made of arrays, beginning with what the function's own code names."""

    def tensors(dtype):
        return lambda a: sys.modules["tensorflow"].constant(a, dtype)

    if exercise.of_the_tape:
        importlib.import_module("tensorflow")  # which a wrong solution may do without
        return [tensors("float32")]  # as in the network
    found = {"numpy": [np.copy]}
    if "tensorflow" in sys.modules:
        found["tensorflow"] = [tensors("float64"), tensors("float32")]
    if "torch" in sys.modules:
        found["torch"] = [lambda a: sys.modules["torch"].tensor(a)]
    named = _modules_named(function)
    return [one for name in sorted(found, key=lambda n: n not in named) for one in found[name]]


def _plain(function: Callable) -> Callable:
    return inspect.unwrap(getattr(function, "python_function", function))  # of a tf.function


def _modules_named(function: Callable) -> set[str]:
    function = _plain(function)
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    values = [getattr(function, "__globals__", {}).get(name) for name in names]
    modules = {value.__name__.split(".")[0] for value in values if isinstance(value, ModuleType)}
    return modules - {"numpy"}  # which stands beside the others


def _through_the_tape(norm: Callable) -> Callable:
    """A function of (x, gamma, beta, dy) to y and the gradients of sum(dy * y)."""

    def call(x, gamma, beta, dy):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([x, gamma, beta])
            y = tf.convert_to_tensor(norm(x, gamma, beta))
        if y.shape != x.shape:
            raise NoAnswer(f"y has the shape {tuple(y.shape)} and should have {tuple(x.shape)}.")
        found = tape.gradient(y, [x, gamma, beta], dy)
        if all(gradient is None for gradient in found):
            raise NoAnswer("no gradient comes back through it: use TensorFlow's operations alone.")
        if not traced:  # the network is a graph; one input is enough to see that it can be
            try:
                traced.append(tf.function(norm)(x, gamma, beta))
            except Exception as error:
                raise NoAnswer(
                    f"the network makes a graph of it, which fails: {type(error).__name__}: "
                    f"{why(error)}. Use TensorFlow's operations, and on whole tensors."
                ) from None
        zeros = map(tf.zeros_like, (x, gamma, beta))
        return y, *(z if g is None else g for g, z in zip(found, zeros, strict=True))

    traced = []
    return call


# What comes back ---------------------------------------------------------------------------------


def _called(function: Callable, exercise: Exercise, given: tuple, convert: Callable) -> Arrays:
    mine = [convert(a) if isinstance(a, np.ndarray) else a for a in given]
    found = function(*mine)
    for name, before, after in zip(exercise.arguments, given, mine, strict=True):
        if not isinstance(before, np.ndarray) or name.startswith("moving"):
            continue  # moving statistics may be updated where they are
        if not np.array_equal(_array(name, after), _array(name, convert(before))):
            raise NoAnswer(f"it changes its argument {name} in place: work on a copy.")
    if found is None:
        raise NoAnswer("it returns None: does it end in return?")
    names = exercise.outputs
    if len(names) == 1 and not isinstance(found, tuple):
        found = (found,)
    if not isinstance(found, tuple | list) or len(found) != len(names):
        several = isinstance(found, tuple | list)
        what = f"{len(found)} values" if several else f"one {type(found).__name__}"
        raise NoAnswer(f"it returns {what}, not {' and '.join(names)}.")
    return tuple(_array(name, value) for name, value in zip(names, found, strict=True))


def _array(name: str, value) -> np.ndarray:
    no_array = NoAnswer(f"{name} is no array, but a {type(value).__name__}.")
    try:
        value = np.asarray(value.detach() if hasattr(value, "detach") else value)
    except Exception:
        raise no_array from None
    if value.dtype == object and not value.shape:
        raise no_array
    if value.dtype.kind in "iub":
        raise NoAnswer(f"{name} holds integers ({value.dtype}), which drop what is behind the "
                       "decimal point: compute in floating-point numbers.")  # fmt: skip
    if value.dtype.kind != "f" or value.dtype.itemsize < 4:
        kind = "objects that are no numbers" if value.dtype == object else f"{value.dtype} numbers"
        raise NoAnswer(f"{name} holds {kind}: compute in float32 or float64.")
    return value.astype(float)


# What is said of an error ------------------------------------------------------------------------


def _said(error: BaseException, function: Callable) -> str:
    """One sentence: what was raised, in which line of the student's, and why."""
    code = getattr(_plain(function), "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if code and frame.filename == code.co_filename]
    if isinstance(error, NotImplementedError) and own and own[-1] == frames[-1]:
        return "not written yet."
    if isinstance(error, SystemExit):
        return "it ends the program: return a value instead."
    line = linecache.getline(own[-1].filename, own[-1].lineno).strip() if own else ""
    where = f" at `{line[:80]}`" if line else ""
    message = why(error)
    said = f"it raises {type(error).__name__}{where}: {message}".rstrip(":. ") + "."
    if re.search("broadcast|[Ii]ncompatible shapes|must match the size", message):
        said += " An average keeps its axis with keepdims=True."
    return said


def why(error: BaseException) -> str:
    """The line of the message that says most, without TensorFlow's additions."""
    try:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    except Exception:  # the error is the student's own, and so is its text
        return ""
    line = lines[-1 if lines[0].startswith("in user code:") else 0]
    return re.sub(r"\{\{.*?\}\} ?| \[Op:.*", "", line)[:200]
