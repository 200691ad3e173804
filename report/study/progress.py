"""Progress of long work: what runs say of themselves, and how a person sees it.

A sweep shows its newest state where that is not captured into saved outputs: in JupyterLab in a
display that clears itself; with NORMLIB_PROGRESS=FILE as lines of JSON appended to that file, which
`lab.py report` follows; with NORMLIB_PROGRESS=off nowhere; in a plain process as a line on stderr.
"""

import json
import os
import shutil
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from IPython import get_ipython
from IPython.display import HTML, clear_output, display


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, 63 as '1:03', or with hours, 3723 as '1:02:03'."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


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
            f"done{self._left()}"
        )

    def _left(self) -> str:
        return "" if self.seconds_left is None else f", about {clock(self.seconds_left)} left"


class Reporter:
    """Collects the states of a sweep's runs, and shows the newest where it fits this process."""

    def __init__(self, runs: int):
        self.runs, self.states, self.newest = runs, {}, None
        self.first: tuple[float, float] | None = None  # time and share, when the first had compiled
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
        state.seconds_left = self._left(time.monotonic(), share)
        self._write(state, share)

    def _left(self, now: float, share: float) -> float | None:
        """The seconds left, by the steps since the first state was shown; None if there are none.

        What came before, starting TensorFlow and compiling, says nothing of the steps.
        """
        self.first = self.first or (now, share)
        begin, done = self.first
        return (now - begin) * (1 - share) / (share - done) if share > done else None

    def close(self) -> None:
        """Leave nothing behind in a notebook's output."""
        if self.handle:
            clear_output()

    def _write(self, state: State, share: float) -> None:
        if self.target and self.target != "off":
            with open(self.target, "a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(state)) + "\n")
        elif not self.target and _in_notebook():
            self._display(state, share)
        elif not self.target:
            end = "\r" if sys.stderr.isatty() else "\n"
            print(state.text(), end=end, file=sys.stderr, flush=True)

    def _display(self, state: State, share: float) -> None:
        if self.handle is None:
            self.handle = display(HTML(""), display_id=True)
        bar = f'<progress max="1" value="{share:.3f}" style="width:100%"></progress>'
        self.handle.update(HTML(f"{bar}<br>{state.text()}"))


def _in_notebook() -> bool:
    return hasattr(get_ipython(), "kernel")


# On a terminal -----------------------------------------------------------------------------------


class Line:
    """A line on stdout with the time since the beginning: on a terminal it is written over."""

    def __init__(self):
        self.begin, self.terminal = time.monotonic(), sys.stdout.isatty()

    def __call__(self, text: str, lasting: bool = False) -> None:
        """Print the text; one that is not `lasting` gives way to the next."""
        text = f"[{clock(time.monotonic() - self.begin)}] {text}"
        if not self.terminal:
            print(text, flush=True)
            return
        text = text[: shutil.get_terminal_size().columns - 1]
        print(f"\r{text}\033[K", end="\n" if lasting else "", flush=True)


class Follower:
    """Within its context, shows what other processes append to a file about their training."""

    def __init__(self, file: Path):
        self.file, self.line, self.finished = file, Line(), threading.Event()
        self.thread = threading.Thread(target=self._follow)

    def __enter__(self) -> "Follower":
        self.file.write_text("")
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.finished.set()
        self.thread.join()
        self.file.unlink()

    def _follow(self) -> None:
        with open(self.file, encoding="utf-8") as lines:
            while not self.finished.wait(1 if self.line.terminal else 15):
                if news := lines.readlines():
                    self.line(State(**json.loads(news[-1])).text())
