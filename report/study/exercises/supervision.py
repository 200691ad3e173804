"""Runs a submission where it harms no other's grade, and reads what its functions return.

In a process of its own, in a copy of its folder, with limits of time, memory and output.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import psutil

from report.study import json_lines
from report.study.exercises.calling import SECONDS
from report.study.exercises.catalogue import EXERCISES
from report.study.exercises.exercise import Arrays
from report.study.exercises.submission import PRINTED, decoded, encoded

ROOT = str(Path(__file__).parents[3])
LOADING = 120  # seconds, in which TensorFlow may be imported
CALLING = SECONDS + 10  # a function is interrupted after SECONDS, unless it cannot be
MEMORY, ANSWERED = 3e9, 1e7  # bytes
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "grades")
MARK = "LAB_SUBMISSION"  # the variable by which we know what a submission began

Outcome = str | list[Arrays]  # why there are no outputs, or those on all inputs


def outcomes(file: Path, others: list[Path], inputs: dict[str, list[tuple]]) -> dict[str, Outcome]:
    """What became of each function, by its name.

    One that ends the process, or for which it is ended, costs that exercise: those after it are
    called in a new process.
    """
    found: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as room:
        while left := {name: given for name, given in inputs.items() if name not in found}:
            try:
                copy = _copied(file, others, Path(room) / "home")
            except OSError as error:
                return dict.fromkeys(inputs, f"its file cannot be copied: {error.strerror}.")
            lines, ended = _run(copy, left)
            if why := dict(line[:2] for line in lines).get("loaded", ended):
                return dict.fromkeys(inputs, f"no function could be called: {_one_line(why)}")
            found |= {line[0]: _outcome(*line, left) for line in lines if line[0] in left}
            if unanswered := [name for name in left if name not in found]:
                found[unanswered[0]] = ended
    return found


def _copied(file: Path, others: list[Path], home: Path) -> Path:
    """A fresh copy of the file in one of its folder, without what others handed in."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        handed_in = {name for name in names if Path(folder, name) in others}
        return LEFT_OUT(folder, names) | handed_in

    shutil.rmtree(home, ignore_errors=True)
    with suppress(shutil.Error):  # what cannot be read is not copied
        shutil.copytree(file.parent, home, ignore=ignored, symlinks=True)
    return Path(shutil.copy(file, home))


def _run(file: Path, asked: dict[str, list[tuple]]) -> tuple[list[list], str]:
    """The lines that the process wrote, and how it ended."""
    home, mark = str(file.parent), secrets.token_hex()
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    own = {"HOME": home, "TMPDIR": home, "IPYTHONDIR": home, "KERAS_HOME": home, MARK: mark,
           "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg",
           "PIP_NO_INDEX": "1"}  # fmt: skip
    module = "report.study.exercises.submission"
    with (
        tempfile.TemporaryFile() as job,
        tempfile.TemporaryFile() as answers,
        tempfile.TemporaryFile() as printed,
    ):
        text = [(name, [encoded(given) for given in inputs]) for name, inputs in asked.items()]
        job.write(json.dumps(text).encode())
        job.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(file)], cwd=home, env=os.environ | own,
            stdin=job, stdout=answers, stderr=printed, start_new_session=True,
        )  # fmt: skip
        begun = {psutil.Process(process.pid)}
        try:
            ended = _watched(process, answers, printed, begun)
        finally:
            _end(process, begun, mark)
        return [*_lines(_read(answers))], ended


def _watched(
    process: subprocess.Popen, answers: BinaryIO, printed: BinaryIO, begun: set[psutil.Process]
) -> str:
    """Wait for the process; return why it has to be ended, or how it ended by itself.

    The processes that it begins join those of `begun`.
    """
    count, before, deadline = 0, 0, time.monotonic() + LOADING
    while process.poll() is None:
        time.sleep(0.03)
        written, size = _read(answers), os.fstat(printed.fileno()).st_size
        if written.count(b"\n") > count:
            count, before = written.count(b"\n"), size
            deadline = time.monotonic() + CALLING
        if time.monotonic() > deadline:
            return f"it needs more than {CALLING if count else LOADING} seconds."
        if size - before > PRINTED:
            return "it prints more than a megabyte."
        if len(written) > ANSWERED:
            return "it returns more than ten megabytes."
        if _memory(begun) > MEMORY:
            return f"it takes more than {MEMORY / 1e9:g} GB of memory."
    return f"it ends its process, with the exit code {process.returncode}."


def _read(file: BinaryIO) -> bytes:
    return os.pread(file.fileno(), int(ANSWERED) + 1, 0)  # which moves no position


def _memory(begun: set[psutil.Process]) -> int:
    """The bytes that these processes take, and their children, which join them."""
    taken = 0
    for one in [*begun]:
        with suppress(psutil.Error):
            begun.update(one.children(recursive=True))
    for one in begun:
        with suppress(psutil.Error):
            taken += one.memory_info().rss
    return taken


def _end(process: subprocess.Popen, begun: set[psutil.Process], mark: str) -> None:
    """End the process and what it began, seen or marked."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for other in psutil.process_iter():
        with suppress(psutil.Error):
            if other in begun or other.environ().get(MARK) == mark:
                other.kill()
    process.wait()


# Reading what it wrote, whatever that is ----------------------------------------------------------


def _lines(written: bytes) -> Iterator[list]:
    for line in written.decode(errors="replace").splitlines(keepends=True):
        with suppress(ValueError, RecursionError):
            for value in json_lines.received([line]):
                if isinstance(value, list) and [type(v) for v in value[:2]] == [str, str]:
                    yield value


def _outcome(name: str, why: str, found, asked: dict[str, list[tuple]]) -> Outcome:
    if why:
        return _one_line(why)
    with suppress(ValueError, TypeError, OverflowError, RecursionError):
        arrays = [decoded(values) for values in found]
        counts = {len(values) for values in arrays} | {len(EXERCISES[name].outputs)}
        numbers = all(isinstance(a, np.ndarray) for values in arrays for a in values)
        if len(arrays) == len(asked[name]) and len(counts) == 1 and numbers:
            return arrays
    return "it returns nothing that could be read."


def _one_line(why: str) -> str:
    return " ".join(why.split())[:500]
