"""Shows how far the benchmark is, and about how long it will go on."""

import shutil
import sys
import time

from report.progress import clock


class Progress:
    """Counts blocks; a terminal has one line, anything else a line in ten seconds."""

    def __init__(self, blocks: int):
        self.blocks, self.done, self.stage = blocks, 0, ""
        self.begin, self.shown = time.monotonic(), 0.0
        self.terminal = sys.stdout.isatty()

    def __call__(self, name: str, blocks: int = 1) -> None:
        """Show that `name` begins, and count its blocks as done."""
        if self.terminal or time.monotonic() - self.shown > 10:
            self._print(name)
        self.done += blocks

    def _print(self, name: str) -> None:
        self.shown = time.monotonic()
        spent = self.shown - self.begin
        left = spent / max(self.done, 1) * (self.blocks - self.done)
        about = f", about {clock(left)} left" if self.done else ""
        text = f"[{clock(spent)}] {self.stage}: {name}{about}"
        if self.terminal:
            text = f"\r{text[: shutil.get_terminal_size().columns - 1]}\033[K"
        print(text, end="" if self.terminal else "\n", flush=True)
