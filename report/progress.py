"""The terminal's side of progress: what the kernels write about their training, as lines."""

import json
import shutil
import sys
import threading
import time
from pathlib import Path


class Progress:
    """Shows what the kernels write about their training, on a terminal in one line."""

    def __init__(self, file: Path):
        self.file, self.begin, self.finished = file, time.monotonic(), threading.Event()
        self.terminal = sys.stdout.isatty()
        self.thread = threading.Thread(target=self._follow)

    def __enter__(self) -> "Progress":
        self.file.write_text("")
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.finished.set()
        self.thread.join()
        self.file.unlink()

    def line(self, text: str, end: str = "\n") -> None:
        """Print the text with the time since the begin, fitted to a terminal's width."""
        text = f"[{clock(time.monotonic() - self.begin)}] {text}"
        if self.terminal:
            text = text[: shutil.get_terminal_size().columns - 1] + "\033[K"
        print(f"\r{text}" if self.terminal else text, end=end, flush=True)

    def _follow(self) -> None:
        with open(self.file) as lines:
            while not self.finished.wait(1 if self.terminal else 15):
                news = lines.readlines()
                if news:
                    self.line(describe(json.loads(news[-1])), "" if self.terminal else "\n")


def describe(state: dict) -> str:
    """One line on a run in training, of the state that a kernel wrote."""
    return (
        f"{state['label']}: epoch {state['epoch']} of {state['epochs']}, "
        f"accuracy {100 * state['accuracy']:.1f} %, about {clock(state['seconds_left'])} left"
    )


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, 63 as '1:03'."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
