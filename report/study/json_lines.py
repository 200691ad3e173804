"""Lines of JSON from a child process to its parent.

Standard library only: the benchmark's peers run where nothing else of the lab is installed.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator


def taking_stdout() -> Callable[[object], None]:
    """Return what sends a value to the parent; what libraries print goes to stderr from now on."""
    output = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    return lambda value: print(json.dumps(value), file=output)


def received(lines: Iterable[str]) -> Iterator:
    """The values of whole lines: half a one is what a process wrote when it was killed."""
    return (json.loads(line) for line in lines if line.endswith("\n"))
