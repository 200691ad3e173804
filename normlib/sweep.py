"""What an experiment lacks is trained, and what it has is read: the records that notebooks show."""

import argparse
import os
import sys
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from normlib import archive, arms, claims, data, exploration, menu, pool, probing
from normlib import train as training
from normlib.archive import Record
from normlib.arms import Arm, Experiment
from normlib.provenance import sources

EXPERIMENTS = (
    arms.EXPERIMENTS | claims.experiments() | exploration.EXPERIMENTS | probing.EXPERIMENTS
)
LIVE_EPOCHS = 1


class MissingRecords(RuntimeError):
    """The archive lacks records that are too long to train here."""


def run(
    experiment: Experiment,
    fresh: bool = False,
    folder: Path | None = None,
    executor: Executor | None = None,
) -> list[Record]:
    """Return the experiment's records, arm by arm and seed by seed, training the missing ones.

    `fresh` retrains all of them. New records are written to the own archive, or to `folder`, as
    they are finished, so an interrupted sweep loses only the runs in flight; a second sweep into
    the same archive waits for the first. Runs of a norm of your own are trained each time and
    never written. In the quick profile a missing full record raises MissingRecords, which names
    the sweep to run.
    """
    known = {} if fresh else current(archive.read())
    if missing := _missing(experiment, known):
        with archive.only_writer(folder or archive.OWN):
            known |= {} if fresh else current(archive.read())  # of a sweep that was waited for
            missing = _missing(experiment, known)
            for record in pool.train(missing, executor):
                _keep(record, folder or archive.OWN)
                known[record.key] = record
    records = [known[key] for key in experiment.runs()]
    _say_changed_sources(records)
    return records


def _missing(experiment: Experiment, known: dict) -> list[tuple[Arm, int]]:
    missing = [key for key in experiment.runs() if key not in known]
    if data.profile() == "quick" and any(arm.profile == "full" for arm, _ in missing):
        raise MissingRecords(_how_to(experiment, missing))
    data.fetch(arm for arm, _ in missing)
    return sorted(missing, key=lambda key: key[1])  # seed by seed: an interruption leaves pairs


def live(arm: Arm, seed: int) -> Record:
    """Train one run now, on this machine, whatever the archive holds; kept apart from it.

    In the full profile for one epoch: as many steps as a reader waits for.
    """
    arm = arm.quick() if data.profile() == "quick" else replace(arm, epochs=LIVE_EPOCHS)
    (record,) = pool.train([(arm, seed)])
    _keep(record, archive.LIVE)
    return record


def _keep(record: Record, folder: Path) -> None:
    if record.arm.norm != "own":
        archive.append(record, folder)


def archived(run: Record) -> Record:
    """The archived run of a live run's arm and seed, of which it repeats the first epochs."""
    name = "quick" if run.arm.profile == "quick" else "pilot"
    key = (replace(run.arm, epochs=Arm.epochs), run.seed)
    records = current(archive.read([archive.PUBLISHED]))
    if key not in records:
        seeds = ", ".join(map(str, EXPERIMENTS[name].seeds))
        raise MissingRecords(
            f"the archive has no run of {run.arm.label}, seed {run.seed}, to compare with; take an "
            f"arm of experiment {name!r} and one of its seeds, {seeds}."
        )
    return records[key]


def live_runs() -> list[tuple[Record, Record]]:
    """The latest live run of each arm and seed in this profile, each with the archived one."""
    runs = current(archive.read([archive.LIVE])).values()
    return [(run, archived(run)) for run in runs if run.arm.profile == data.profile()]


def current(records: dict) -> dict:
    """Those records that were made with this protocol."""
    protocol = training.PROTOCOL
    return {key: record for key, record in records.items() if record.protocol == protocol}


def _how_to(experiment: Experiment, missing: list) -> str:
    known = experiment.name in EXPERIMENTS
    command = f"with: python3 lab.py sweep {experiment.name}"
    advice = command if known else "here, with NORMLIB_PROFILE=full in the environment."
    return (
        f"{len(missing)} of {len(experiment.runs())} records of experiment {experiment.name!r} are "
        f"missing. Train them {advice}"
    )


def _say_changed_sources(records: list[Record]) -> None:
    changed = [record for record in records if record.sources != sources(record.arm)]
    if changed:
        print(
            f"{len(changed)} of these {len(records)} records were computed by other sources than "
            "the present normlib; sweep.run(experiment, fresh=True) retrains them."
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="lab.py sweep", description=__doc__)
    parser.add_argument("name", nargs="?", choices=EXPERIMENTS, help="the experiment")
    parser.add_argument("--list", action="store_true", help="list the experiments and their state")
    parser.add_argument(
        "--seeds", type=menu.seeds, metavar="A:B", help="seeds A to B - 1, instead of its own"
    )
    parser.add_argument("--publish", action="store_true", help="write to the committed archive")
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="train on a Dask cluster")
    options = parser.parse_args()
    experiments = {
        name: replace(experiment, seeds=options.seeds or experiment.seeds)
        for name, experiment in EXPERIMENTS.items()
    }
    if options.list or not options.name:
        print(menu.table(experiments, current(archive.read())))
        return
    os.environ["NORMLIB_PROFILE"] = "full"
    folder = archive.PUBLISHED if options.publish else archive.OWN
    try:
        with pool.cluster(options.scheduler) as executor:
            records = run(experiments[options.name], folder=folder, executor=executor)
    except (data.DataError, pool.RunFailed) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; finished runs are kept, and the same command goes on from there.")
    print(f"{options.name}: {len(records)} records")


if __name__ == "__main__":
    sys.exit(main())
