"""An experiment's records: those that are there are read, the missing ones are trained."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from normlib import data
from normlib.arm import Arm
from report.study import archive, pool
from report.study.experiments import EXPERIMENTS, Experiment
from report.study.provenance import PROTOCOL, equal, known, sources
from report.study.record import Record

LIVE_EPOCHS = 1


class MissingRecords(RuntimeError):
    """The archive lacks records that are too long to train here."""


def run(
    experiment: Experiment, folder: Path | None = None, executor: Executor | None = None
) -> list[Record]:
    """Return the experiment's records, arm by arm and seed by seed, and train only the missing.

    New records are written to the own archive, or to `folder`, as they are finished, so an
    interrupted sweep loses only the runs in flight; a second sweep into the same archive waits for
    the first. Nothing is trained that could not be written: that is an ArchiveError. Runs of edited
    sources are kept among the live runs, never in an archive; those of a norm of your own are
    trained each time and never written. In the quick profile a missing full record raises
    MissingRecords, which names the sweep to run.
    """
    there = _readable()
    if _missing(experiment, there):
        folder = folder or archive.OWN
        with archive.only_writer(folder):
            there |= _readable()  # of a sweep that was waited for
            for record in _train(_missing(experiment, there), folder, executor):
                there[record.key] = record
    records = [there[key] for key in experiment.runs()]
    _say_edited(experiment, records)
    return records


def _readable() -> dict[tuple[Arm, int], Record]:
    """The archive's records, and where there is none those that the present sources made live."""
    live = current(archive.read([archive.LIVE]))
    ours = {key: record for key, record in live.items() if record.sources == sources(record.arm)}
    edited = {key: record for key, record in ours.items() if not known(record.sources)}
    return edited | current(archive.read())


def _missing(experiment: Experiment, there: dict) -> list[tuple[Arm, int]]:
    missing = [key for key in experiment.runs() if key not in there]
    if data.profile() == "quick" and any(arm.profile == "full" for arm, _ in missing):
        raise MissingRecords(_how_to(experiment, missing))
    data.fetch(arm for arm, _ in missing)
    return sorted(missing, key=lambda key: key[1])  # seed by seed: an interruption leaves pairs


def _train(
    runs: list[tuple[Arm, int]], folder: Path, executor: Executor | None = None
) -> Iterator[Record]:
    """Train the runs if all of them can be kept, and yield each record when it is."""
    homes: dict[Path | None, list] = {}
    for arm, seed in runs:
        homes.setdefault(_home(arm, sources(arm), folder), []).append((arm, seed))
    with ExitStack() as stack:
        rooms = {
            home: stack.enter_context(archive.room(some, home))
            for home, some in homes.items()
            if home
        }
        for record in pool.train(runs, executor):
            if home := _home(record.arm, record.sources, folder):
                if home in rooms:  # else its sources were edited after the beginning
                    rooms[home]()
                archive.append(record, home)
            yield record


def _home(arm: Arm, sources: str, folder: Path) -> Path | None:
    """Where a record belongs: that of edited sources is live, that of a reader's norm nowhere."""
    if arm.norm == "own":
        return None
    return folder if known(sources) else archive.LIVE


def current(records: dict) -> dict:
    """Those records that were made with this protocol."""
    return {key: record for key, record in records.items() if record.protocol == PROTOCOL}


def _how_to(experiment: Experiment, missing: list) -> str:
    command = f"with: python3 lab.py sweep {experiment.name}"
    advice = command if experiment.name in EXPERIMENTS else "with NORMLIB_PROFILE=full."
    return (
        f"{len(missing)} of {len(experiment.runs())} records of experiment {experiment.name!r} are "
        f"missing. Train them {advice}"
    )


def _say_edited(experiment: Experiment, records: list[Record]) -> None:
    others = [r for r in records if not equal(r.sources, sources(r.arm))]
    if others:
        print(
            f"{len(others)} of the {len(records)} records of experiment {experiment.name!r} were "
            "computed by another version of the code than yours. To see what yours does, train a "
            "run with sweep.live(arm, seed); runs of edited code are kept apart from the archive."
        )


# Live runs --------------------------------------------------------------------------------------


def live(arm: Arm, seed: int) -> Record:
    """Train any arm with any seed now, on this machine, whatever the archive holds.

    In the full profile for one epoch: as many steps as a reader waits for. Kept apart from the
    archive, but for a norm of your own, which is not kept. `archived(record)` is what to compare
    it with.
    """
    arm = arm.quick() if data.profile() == "quick" else replace(arm, epochs=LIVE_EPOCHS)
    data.fetch([arm])
    (record,) = _train([(arm, seed)], archive.LIVE)
    return record


def archived(run: Record) -> Record | None:
    """The archived run of a live run's arm and seed, of which it repeats the first epochs, if any.

    The archive has whole runs: their arm is the live one's but for the number of epochs.
    """
    records = current(archive.read([archive.COMMITTED]))
    longer = [
        record
        for (arm, seed), record in records.items()
        if seed == run.seed
        and replace(arm, epochs=run.arm.epochs) == run.arm
        and arm.epochs >= run.arm.epochs
    ]
    return max(longer, key=lambda record: record.arm.epochs, default=None)
