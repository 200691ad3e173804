"""Progress of long runs, shown where it is not captured into saved outputs.

In JupyterLab a display that clears itself; with NORMLIB_PROGRESS=FILE lines of JSON appended to
that file, which `lab.py` shows in the terminal; with NORMLIB_PROGRESS=off nothing; in a plain
Python process a line on stderr. A module of its own, since sweeps feed it and readers see it.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass

from IPython import get_ipython
from IPython.display import HTML, clear_output, display


@dataclass
class State:
    """How far one run is, in training steps, and as shown also the sweep it belongs to."""

    label: str
    done: int
    total: int
    epoch: int
    epochs: int
    accuracy: float
    runs_done: int = 0
    runs: int = 1
    seconds_left: float | None = None

    def text(self) -> str:
        """One line for a reader."""
        return (
            f"{self.label}: epoch {self.epoch} of {self.epochs}, step {self.done} of {self.total}, "
            f"training accuracy {100 * self.accuracy:.1f} %; {self.runs_done} of {self.runs} runs "
            f"done, about {clock(self.seconds_left)} left"
        )


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, 63 as '1:03'."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Reporter:
    """Collects the states of a sweep's runs, and shows the newest where it fits this process."""

    def __init__(self, runs: int):
        self.begin, self.runs, self.states, self.newest = time.monotonic(), runs, {}, None
        self.target, self.handle = os.environ.get("NORMLIB_PROGRESS"), None
        self.pause, self.next = (0.5 if sys.stderr.isatty() or _in_notebook() else 10), 0.0

    def take(self, state: State) -> None:
        """Keep the state of one run, known by its label and how many epochs it is to take."""
        self.states[state.label, state.epochs] = self.newest = state

    def show(self) -> None:
        """Show the newest state if there is one; plain lines at most every ten seconds."""
        if self.newest is None or time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.pause
        state, self.newest = self.newest, None
        share = sum(s.done / s.total for s in self.states.values()) / self.runs
        state.runs_done = sum(s.done == s.total for s in self.states.values())
        state.runs = self.runs
        state.seconds_left = (time.monotonic() - self.begin) * (1 - share) / share
        self._write(state, share)

    def close(self) -> None:
        """Leave nothing behind in a notebook's output."""
        if self.handle:
            clear_output()

    def _write(self, state: State, share: float) -> None:
        if self.target and self.target != "off":
            _append(self.target, state)
        elif not self.target and _in_notebook():
            self._display(state, share)
        elif not self.target:
            _print(state)

    def _display(self, state: State, share: float) -> None:
        if self.handle is None:
            self.handle = display(HTML(""), display_id=True)
        bar = f'<progress max="1" value="{share:.3f}" style="width:100%"></progress>'
        self.handle.update(HTML(f"{bar}<br>{state.text()}"))


def _in_notebook() -> bool:
    return hasattr(get_ipython(), "kernel")


def _append(path: str, state: State) -> None:
    with open(path, "a") as file:
        file.write(json.dumps(asdict(state)) + "\n")


def _print(state: State) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    print(state.text(), end=end, file=sys.stderr, flush=True)
