"""Retrains random runs of the archive and says how far they agree: `python3 lab.py verify N`."""

import argparse
import os
import random
import sys

import numpy as np

from normlib import archive, pool, sweep
from normlib.archive import Record

STEPS, TOLERANCE = 100, 1e-3  # relative
EQUAL, CLOSE = "bitwise equal", f"the first {STEPS} steps within {TOLERANCE:g}"
DIFFERENT = "different"
MEANING = {
    EQUAL: "as it must be on the archive's processor model with its package versions",
    CLOSE: "as it must be elsewhere: processors round otherwise, and training amplifies that",
    DIFFERENT: "the code, the data or the packages compute something else than the archive has; "
    "or, on another processor, rounding was amplified sooner, as it is in some runs with BN",
}


def agreement(new: Record, archived: Record) -> str:
    """How far two records of one run agree: "bitwise equal", "the first 100 steps …", "different".

    The first 100 steps count as equal if every tenth loss is, to a relative 1e-3.
    """
    if _results(new) == _results(archived):
        return EQUAL
    count = STEPS // 10 + 1
    ours, theirs = (np.array(record.loss_every_10[:count]) for record in (new, archived))
    same_length = np.shape(ours) == np.shape(theirs)
    close = same_length and np.allclose(ours, theirs, TOLERANCE, 0, equal_nan=True)
    return CLOSE if close else DIFFERENT


def _results(record: Record) -> str:
    """What was computed, by whatever code; as text, for a NaN does not equal itself."""
    return str(record.numbers() | {"sources": ""})


def _changed(new: Record, archived: Record) -> str:
    """What is not as it was when the archived run was made."""
    then, now = ({**r.environment, "source code": r.sources} for r in (archived, new))
    names = [name for name in then if now.get(name) != then[name]]
    return f" (other {', '.join(names)} than the archive's)" if names else ""


def chosen(count: int) -> list[Record]:
    """So many random records of the published archive; all of them if there are fewer."""
    records = list(sweep.current(archive.read([archive.PUBLISHED])).values())
    return random.sample(records, min(count, len(records)))


def verify(records: list[Record]) -> list[str]:
    """Retrain each of the records, print how far it agrees, and return that."""
    archived, found = {record.key: record for record in records}, []
    for new in pool.train(list(archived)):
        found.append(agreement(new, archived[new.key]))
        changed = _changed(new, archived[new.key])
        print(f"{new.arm.label}, seed {new.seed}: {found[-1]}{changed}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.py verify", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=5, help="how many runs (default: 5)")
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"{options.count} runs prove nothing; ask for 1 or more.")
    os.environ["NORMLIB_PROFILE"] = "full"
    records = chosen(options.count) or sys.exit("error: the archive has no runs of this protocol.")
    seconds = sum(record.seconds for record in records) / min(os.cpu_count() or 1, len(records))
    print(f"Retraining {len(records)} archived runs: about {seconds / 60:.0f} minutes.", flush=True)
    try:
        found = verify(records)
    except KeyboardInterrupt:
        sys.exit("\ninterrupted.")
    for kind in dict.fromkeys(found):
        print(f"{found.count(kind)} of {len(found)} {kind}: {MEANING[kind]}.")
    return int(DIFFERENT in found)


if __name__ == "__main__":
    sys.exit(main())
