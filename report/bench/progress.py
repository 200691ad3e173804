"""Shows how far the benchmark is, and about how long it will go on."""

import time

from report.study.progress import Line, clock


class Progress:
    """Counts blocks; a terminal has one line, anything else a line in ten seconds."""

    def __init__(self, blocks: int):
        self.blocks, self.done, self.stage = blocks, 0, ""
        self.line, self.shown = Line(), 0.0

    def __call__(self, name: str, blocks: int = 1) -> None:
        """Show that `name` begins, and count its blocks as done."""
        now = time.monotonic()
        if self.line.terminal or now - self.shown > 10:
            left = (now - self.line.begin) / max(self.done, 1) * (self.blocks - self.done)
            about = f", about {clock(left)} left" if self.done else ""
            self.line(f"{self.stage}: {name}{about}")
            self.shown = now
        self.done += blocks
