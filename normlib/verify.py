"""Retrains random runs of the archive and says how far they agree: `python3 lab.py verify N`."""

import argparse
import os
import random
import sys

import numpy as np

from normlib import archive, sweep
from normlib.archive import Record

STEPS, TOLERANCE = 100, 1e-3  # relative; other processors round otherwise


def agreement(new: Record, archived: Record) -> str:
    """How far two records of one run agree: "bitwise equal", "the first 100 steps", "different".

    The first 100 steps count as equal if every tenth loss is, to a relative 1e-3.
    """
    if new.numbers() == archived.numbers():
        return "bitwise equal"
    count = STEPS // 10 + 1
    ours, theirs = (np.array(record.loss_every_10[:count]) for record in (new, archived))
    close = np.shape(ours) == np.shape(theirs) and np.allclose(ours, theirs, TOLERANCE, 0)
    return f"the first {STEPS} steps within {TOLERANCE:g}" if close else "different"


def chosen(count: int) -> list[Record]:
    """So many random records of the published archive; all of them if there are fewer."""
    records = list(sweep.current(archive.read([archive.PUBLISHED])).values())
    return random.sample(records, min(count, len(records)))


def verify(records: list[Record]) -> list[str]:
    """Retrain each of the records, print how far it agrees, and return that."""
    archived, found = {record.key: record for record in records}, []
    for new in sweep.train(list(archived)):
        found.append(agreement(new, archived[new.key]))
        same = new.environment == archived[new.key].environment
        machine = "" if same else " (computed on another processor or by other versions)"
        print(f"{new.arm.label}, seed {new.seed}: {found[-1]}{machine}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.py verify", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=5, help="how many runs (default: 5)")
    options = parser.parse_args()
    os.environ["NORMLIB_PROFILE"] = "full"
    found = verify(chosen(options.count))
    for kind in dict.fromkeys(found):
        print(f"{found.count(kind)} of {len(found)}: {kind}")
    return int("different" in found)


if __name__ == "__main__":
    sys.exit(main())
