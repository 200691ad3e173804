"""The build as a process: one at a time in a checkout, and when it is ended, all that it began."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Within its context, the first of `kill`, a closed terminal and Ctrl-C is a KeyboardInterrupt.

    Its argument is the signal's number. Those that follow do not disturb the ending.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number, _):
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    before = {number: signal.getsignal(number) for number in ENDING}
    before = {n: handler for n, handler in before.items() if handler != signal.SIG_IGN}  # nohup
    try:
        for number in before:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def children() -> set[psutil.Process]:
    """Every process that this one began, at whatever remove."""
    return set(psutil.Process().children(recursive=True))


def end_children(others: set[psutil.Process]) -> None:
    """End this process's children and theirs, but for `others`."""
    ended = set()
    while new := children() - others - ended:
        for process in new:  # one that is stopped begins no process that we would not see
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        ended |= new
    for process in ended:
        with suppress(psutil.NoSuchProcess):
            process.kill()
