"""Contenders and norms take turns: a block each, round after round.

So a slow minute slows them all, and a ratio within a round is one of the same minute.
"""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from report.bench.contenders import NORMS, Contender
from report.study.json_lines import received

ROOT = Path(__file__).parents[2]
# One network, if the first losses agree to a thousandth; rounding then drives them apart, by
# several hundredths at single steps and by one or two between the means of a later block.
SAME_STEPS, SAME, SAME_END = 3, 1e-3, 0.05
REST = 0.3  # seconds before a block: threads that wait for work spin for a while


@dataclass
class Result:
    """One contender's blocks of a norm: milliseconds a step of each, the losses of every step."""

    contender: Contender
    norm: str
    missing: str = ""
    milliseconds: list[float] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of its blocks, in milliseconds a step."""
        return float(np.median(self.milliseconds))

    def over(self, other: "Result") -> np.ndarray:
        """How many times as long as the other's its steps take, in every round."""
        return np.divide(self.milliseconds, other.milliseconds)


class Process:
    """A contender at work in a process of its own."""

    def __init__(self, contender: Contender, problem: Path, threads: int):
        spec = {"problem": str(problem), "threads": threads}
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 -- closed in close
        self.process = subprocess.Popen(
            [contender.python, "-m", contender.module,
             json.dumps(spec | {"options": contender.options})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=ROOT,
            encoding="utf-8",
        )  # fmt: skip

    def begin(self, norm: str) -> None:
        """Let it train a block with this norm."""
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{norm}\n")
            self.process.stdin.flush()

    def end(self) -> tuple[float, list[float]]:
        """Wait for the block's seconds and losses; raises ChildProcessError if it ended."""
        for answer in received(self.process.stdout):
            return answer
        raise ChildProcessError(self._reason())

    def _reason(self) -> str:
        code = self.process.wait()
        self.errors.seek(0)
        printed = self.errors.read()
        raised = re.findall(r"^[\w.]*(?:Error|Exception)\b.*", printed, re.M)
        return raised[-1].strip() if raised else f"its process ended with code {code}"

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


class Lane:
    """A contender's results by norm, and the processes that work on it side by side."""

    def __init__(self, contender: Contender, problem: Path, threads: int, processes: int):
        self.name, self.processes = contender.name, []
        missing = contender.missing
        self.results = {norm: Result(contender, norm, missing) for norm in contender.norms}
        if not contender.missing:
            self.processes = [Process(contender, problem, threads) for _ in range(processes)]

    def begin(self, norm: str) -> None:
        """Start a block in every process."""
        for process in self.processes:
            process.begin(norm)

    def end(self, norm: str) -> None:
        """Wait for the block; the slowest process counts, and one that ended ends the lane."""
        if not self.processes:
            return
        try:
            blocks = [process.end() for process in self.processes]
        except ChildProcessError as error:
            for result in self.results.values():
                result.missing = str(error)
            self.close()
        else:
            losses = blocks[0][1]
            self.results[norm].losses.append(losses)
            slowest = max(seconds for seconds, _ in blocks)
            self.results[norm].milliseconds.append(1000 * slowest / len(losses))

    def close(self) -> None:
        """End its processes."""
        while self.processes:
            self.processes.pop().close()


Groups = dict[str, list[Result]]  # by norm, the first contender's result first


def race(
    contenders: list[Contender],
    problem: Path,
    rounds: int,
    progress: Callable[[str], None],
    threads: int = 0,
    processes: int = 1,
) -> Groups:
    """Let each train a block of every norm to warm up, then `rounds` in turns; return the results.

    `threads` a process, 0 for as many as there are cores; `processes` of each contender work side
    by side. `progress(what)` is called before every block.
    """
    with ExitStack() as stack:
        lanes = []
        for contender in contenders:
            lanes.append(Lane(contender, problem, threads, processes))
            stack.callback(lanes[-1].close)
        turns = [(norm, lane) for norm in NORMS for lane in lanes if norm in lane.results]
        _warm_up(turns, progress)
        for _ in range(rounds):
            for norm, lane in turns:
                progress(f"{norm}, {lane.name}")
                time.sleep(REST)
                lane.begin(norm)
                lane.end(norm)
    return {norm: [lane.results[norm] for of, lane in turns if of == norm] for norm, _ in turns}


def _warm_up(turns: list[tuple[str, Lane]], progress: Callable[[str], None]) -> None:
    """The first block of each: it builds and compiles, and is not counted."""
    for norm, lane in turns:
        progress(f"{norm}, {lane.name}, warming up")
        lane.begin(norm)
        lane.end(norm)
        lane.results[norm].milliseconds.clear()


def fault(result: Result, reference: Result) -> str:
    """Why its time does not count: it is missing, or it trains another network; empty if it counts.

    The reference is ours of the same norm.
    """
    if missing := result.missing or reference.missing:
        return f"missing: {missing}"
    first, expected = (np.array(r.losses[0][:SAME_STEPS]) for r in (result, reference))
    apart = relative(first, expected[: len(first)]).max()
    if not apart <= SAME:
        return f"another network: a loss of its first {len(first)} steps is {apart:.1e} off"
    last, expected = result.losses[-1], reference.losses[-1]
    apart = relative(np.mean(last), np.mean(expected))
    if len(last) == len(expected) and not apart <= SAME_END:
        return f"trains differently: its last mean loss is {apart:.1e} off"
    return ""


def relative(values, expected) -> np.ndarray:
    """How far the values are from what is expected, relative to that."""
    return np.abs(np.subtract(values, expected)) / np.abs(expected)
