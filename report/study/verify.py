"""Retrains random runs of the archive and says how far they agree: `python3 lab.py verify N`."""

import argparse
import os
import random
import sys
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import t

from normlib import data
from report.study import archive, live_runs, pool, sweep
from report.study.progress import clock
from report.study.record import Record

# How many steps agree, to what relative tolerance. At the published learning rate BN amplifies a
# processor's other rounding most: its losses were seen 6e-4 apart after ten steps on two, and
# beyond 1e-3 before a hundred.
FIRST, NEAR = live_runs.FIRST_STEPS, live_runs.SLACK
CLOSE = {
    "the first 100 steps within 0.001": (100, 1e-3),
    f"the first {FIRST} steps within {NEAR:g}": (FIRST, NEAR),
}
EQUAL, DIFFERENT = "bitwise equal", "different"
STRAYS = "the first steps close, the final accuracy outside the spread of the arm's seeds"
UNSTABLE = "the first step within 0.001, those after it apart"
ELSEWHERE = "as expected on another processor: it rounds differently, and training amplifies that"
MEANING = {
    EQUAL: "as it must be on the archive's processor model with its package versions",
    **dict.fromkeys(CLOSE, ELSEWHERE),
    UNSTABLE: "which decides nothing: steps so large that the archived loss rose in the first ten "
    "amplify the rounding of another processor at once",
    STRAYS: "the code or the packages train differently from the archive's after those steps",
    DIFFERENT: "the code, the data or the packages do not compute what the archive holds",
}


def agreement(new: Record, archived: Record, seeds: Iterable[Record] = ()) -> str:
    """How far two records of one run agree, one of MEANING: the first of them that is true.

    Steps count as equal if every tenth loss is, to the relative tolerance. What is only close must
    have a final accuracy as the arm's archived `seeds` have, of which the run itself may be one.
    """
    if _results(new) == _results(archived):
        return EQUAL
    near = (said for said, (n, slack) in CLOSE.items() if _equal(new, archived, n, slack))
    found = next(near, UNSTABLE if _unstable(new, archived) else DIFFERENT)
    return STRAYS if found != DIFFERENT and strays(new, seeds) else found


FEWEST, CERTAINTY = 5, 0.9999  # seeds that show a spread; of the prediction interval


def strays(new: Record, seeds: Iterable[Record]) -> bool:
    """Whether the final accuracy lies outside the prediction interval of the arm's seeds.

    mean +- t * std * sqrt(1 + 1 / n)

    A run that diverged is outside if no seed did. False where too few seeds show a spread.
    """
    own = [r for r in seeds if r.arm == new.arm]
    scores = [100 * r.test_accuracy[-1] for r in own if r.diverged is None]
    if len(scores) < FEWEST:
        return False
    if new.diverged is not None:
        return len(scores) == len(own)
    n, spread = len(scores), np.std(scores, ddof=1)
    reach = t.ppf((1 + CERTAINTY) / 2, n - 1) * spread * np.sqrt(1 + 1 / n)
    return bool(abs(100 * new.test_accuracy[-1] - np.mean(scores)) > reach)


def _unstable(new: Record, archived: Record) -> bool:
    """Whether the two, of different processors, may part at once, having begun alike.

    So did no normalization at a learning rate of 0.1: 4 % apart after ten steps on two.
    """
    rose = archived.loss_every_10[1:2] > archived.loss_every_10[:1]
    elsewhere = new.environment["cpu"] != archived.environment["cpu"]
    same_length = len(new.loss_every_10) == len(archived.loss_every_10)
    return rose and elsewhere and same_length and _equal(new, archived, 0, 1e-3)


def _equal(new: Record, archived: Record, steps: int, tolerance: float) -> bool:
    ours, theirs = (r.loss_every_10[: steps // 10 + 1] for r in (new, archived))
    same_length = len(ours) == len(theirs)
    return same_length and np.allclose(ours, theirs, tolerance, 0, equal_nan=True)


def _results(record: Record) -> str:
    """What was computed, by whatever code; as text, for a NaN does not equal itself."""
    return str(record.numbers())


def _changed(new: Record, archived: Record) -> str:
    """What is not as it was when the archived run was made."""
    then, now = ({**r.environment, "source code": r.sources} for r in (archived, new))
    names = [name for name in then if now.get(name) != then[name]]
    return f" (not as in the archive: {', '.join(names)})" if names else ""


def published() -> list[Record]:
    """The records of the published archive, every line of it read against its checksum.

    Raises ArchiveError if it is damaged or has no run.
    """
    records = list(sweep.current(archive.read([archive.COMMITTED])).values())
    if not records:
        raise archive.ArchiveError(f"{archive.COMMITTED} has no runs of this protocol: restore it.")
    return records


def verify(records: list[Record], seeds: Sequence[Record] = ()) -> list[str]:
    """Retrain each of the records, print how far it agrees, and return that.

    seeds: all archived records, whose spread a run of another processor is held against.
    """
    data.fetch(record.arm for record in records)
    seconds = sum(record.seconds for record in records) / min(os.cpu_count() or 1, len(records))
    print(f"Retraining {len(records)} archived runs: about {clock(seconds)} min.", flush=True)
    archived, found = {record.key: record for record in records}, []
    for new in pool.train(list(archived)):
        found.append(agreement(new, archived[new.key], seeds))
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
    try:
        records = published()
        found = verify(random.sample(records, min(options.count, len(records))), records)
    except KeyboardInterrupt:
        sys.exit("\ninterrupted.")
    except (data.DataError, pool.RunFailed, archive.ArchiveError, OSError) as error:
        sys.exit(f"error: {error}")
    for kind in dict.fromkeys(found):
        print(f"{found.count(kind)} of {len(found)}: {kind}, {MEANING[kind]}.")
    return int(DIFFERENT in found or STRAYS in found)


if __name__ == "__main__":
    sys.exit(main())
