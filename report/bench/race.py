"""Contenders take turns: a block each, round after round, so that a slow minute slows them all."""

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

from report.bench.contenders import Contender
from report.study.json_lines import received

ROOT = Path(__file__).parents[2]
# One network, if the first losses agree to a thousandth; rounding then drives them apart, by
# several hundredths at single steps and by one or two between the means of a later block.
SAME_STEPS, SAME, SAME_END = 3, 1e-3, 0.05
REST = 0.3  # seconds before a block: threads that wait for work spin for a while


@dataclass
class Result:
    """One contender's blocks: milliseconds a step of each, and the losses of every step."""

    contender: Contender
    missing: str = ""
    milliseconds: list[float] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of its blocks, in milliseconds a step."""
        return float(np.median(self.milliseconds))

    @property
    def steps(self) -> int:
        """How many steps were measured."""
        return sum(map(len, self.losses[1:]))

    def over(self, other: "Result") -> float:
        """How many times as long as the other's its steps take: the median over the rounds."""
        return float(np.median(np.divide(self.milliseconds, other.milliseconds)))


class Process:
    """A contender at work in a process of its own."""

    def __init__(self, contender: Contender, problem: Path, threads: int):
        spec = {"problem": str(problem), "norm": contender.norm, "threads": threads}
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 -- closed in close
        self.process = subprocess.Popen(
            [contender.python, "-m", contender.module,
             json.dumps(spec | {"options": contender.options})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=ROOT,
            encoding="utf-8",
        )  # fmt: skip

    def begin(self) -> None:
        """Let it train a block."""
        with suppress(BrokenPipeError):
            self.process.stdin.write("\n")
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
    """A contender's result, and the processes that work on it side by side."""

    def __init__(self, contender: Contender, problem: Path, threads: int, processes: int):
        self.result, self.processes = Result(contender, contender.missing), []
        if not contender.missing:
            self.processes = [Process(contender, problem, threads) for _ in range(processes)]

    def begin(self) -> None:
        """Start a block in every process."""
        for process in self.processes:
            process.begin()

    def end(self) -> None:
        """Wait for the block; the slowest process counts, and one that ended ends the lane."""
        if not self.processes:
            return
        try:
            blocks = [process.end() for process in self.processes]
        except ChildProcessError as error:
            self.result.missing = str(error)
            self.close()
        else:
            losses = blocks[0][1]
            self.result.losses.append(losses)
            slowest = max(seconds for seconds, _ in blocks)
            self.result.milliseconds.append(1000 * slowest / len(losses))

    def close(self) -> None:
        """End its processes."""
        while self.processes:
            self.processes.pop().close()


def race(
    contenders: list[Contender],
    problem: Path,
    rounds: int,
    progress: Callable[[str], None],
    threads: int = 0,
    processes: int = 1,
) -> list[Result]:
    """Let each train a block to warm up, then `rounds` blocks in turns; return their results.

    `threads` a process, 0 for as many as there are cores; `processes` of each contender work side
    by side. `progress(name)` is called before every block.
    """
    with ExitStack() as stack:
        lanes = []
        for contender in contenders:
            lanes.append(Lane(contender, problem, threads, processes))
            stack.callback(lanes[-1].close)
        _warm_up(lanes, progress)
        for _ in range(rounds):
            for lane in lanes:
                progress(lane.result.contender.name)
                time.sleep(REST)
                lane.begin()
                lane.end()
    return [lane.result for lane in lanes]


def _warm_up(lanes: list[Lane], progress: Callable[[str], None]) -> None:
    """The first block, all at once: it builds and compiles, and is not counted."""
    for lane in lanes:
        lane.begin()
    for lane in lanes:
        progress(f"{lane.result.contender.name}, warming up")
        lane.end()
        lane.result.milliseconds.clear()


def fault(result: Result, reference: Result) -> str:
    """Why its time does not count: it is missing, or it trains another network; empty if it counts.

    The reference is ours of the same norm; another norm's losses are not compared.
    """
    missing = result.missing or reference.missing
    if missing or result.contender.norm != reference.contender.norm:
        return f"missing: {missing}" if missing else ""
    first, expected = (np.array(r.losses[0][:SAME_STEPS]) for r in (result, reference))
    apart = relative(first, expected[: len(first)]).max()
    if not apart <= SAME:
        return f"another network: a loss of its first {len(first)} steps is {apart:.1e} off"
    last, expected = result.losses[-1], reference.losses[-1]
    apart = relative(np.mean(last), np.mean(expected))
    if len(last) == len(expected) and not apart <= SAME_END:
        return f"trains otherwise: its last mean loss is {apart:.1e} off"
    return ""


def relative(values, expected) -> np.ndarray:
    """How far the values are from what is expected, relative to that."""
    return np.abs(np.subtract(values, expected)) / np.abs(expected)
