"""Train the runs of an experiment that are not in the archive yet, or more seeds of it."""

import argparse
import os
import re
import sys
from dataclasses import replace
from statistics import median

import pandas as pd

from normlib import data
from report.study import archive, pool, sweep
from report.study.experiments import EXPERIMENTS, Experiment
from report.study.provenance import LIST, known, sources


def main() -> None:
    parser = argparse.ArgumentParser(prog="lab.py sweep", description=__doc__)
    parser.add_argument("name", nargs="?", choices=EXPERIMENTS, help="the experiment")
    parser.add_argument("--list", action="store_true", help="list the experiments and their state")
    parser.add_argument(
        "--seeds", type=seeds, metavar="A:B", help="seeds A to B - 1, instead of its own"
    )
    parser.add_argument("--publish", action="store_true", help="write to the committed archive")
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="train on a Dask cluster")
    options = parser.parse_args()
    experiments = {
        name: replace(experiment, seeds=options.seeds or experiment.seeds)
        for name, experiment in EXPERIMENTS.items()
    }
    try:
        if options.list or not options.name:
            print(table(experiments, sweep.current(archive.read())))
        else:
            train(experiments[options.name], options.publish, options.scheduler)
    except (data.DataError, pool.RunFailed, archive.ArchiveError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; finished runs are kept, and the same command goes on from there.")


def train(experiment: Experiment, publish: bool, scheduler: str | None) -> None:
    """Train the experiment's missing runs, for the committed archive if they are to be published.

    On the Dask cluster with this scheduler, if one is given.
    """
    if publish:
        refuse_unlisted_sources(experiment)
    os.environ["NORMLIB_PROFILE"] = "full"
    folder = archive.COMMITTED if publish else archive.OWN
    with pool.cluster(scheduler) as executor:
        records = sweep.run(experiment, folder=folder, executor=executor)
    print(f"{experiment.name}: {len(records)} records")


def refuse_unlisted_sources(experiment: Experiment) -> None:
    """Exit unless the sources of every arm are in the archive's list: other runs have no place."""
    unlisted = {found for arm in experiment.arms if not known(found := sources(arm))}
    if unlisted:
        sys.exit(
            f"error: the present code (sources {', '.join(sorted(unlisted))}) is not listed in "
            f"{LIST.name}, so its runs cannot be published. If it computes what the archive's code "
            "does, list its sources there with the evidence, and repeat the command."
        )


def seeds(text: str) -> tuple[int, ...]:
    """The seeds a to b - 1 of a text `a:b`; raises ArgumentTypeError for any other text."""
    found = re.fullmatch("([0-9]+):([0-9]+)", text)
    chosen = tuple(range(*map(int, found.groups()))) if found else ()
    if not chosen:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no range of seeds. Write two whole numbers, the smaller first: 200:210 "
            "are the ten seeds 200 to 209."
        )
    return chosen


def table(experiments: dict[str, Experiment], records: dict) -> str:
    """One line per experiment: its size, how many of its runs there are, what one takes.

    `records` by (arm, seed); the seconds are the median of those of its arms, whatever the seed.
    """
    rows = pd.DataFrame([_row(experiment, records) for experiment in experiments.values()])
    width = rows["for"].str.len().max()
    rows["for"] = rows["for"].str.ljust(width)
    rows = rows.rename(columns={"for": f"{'for':{width}}"})
    lines = rows.set_index("experiment").rename_axis(None).rename_axis(columns="experiment")
    return "\n".join(line.rstrip() for line in lines.to_string().splitlines())


def _row(experiment: Experiment, records: dict) -> dict:
    there = sum(run in records for run in experiment.runs())
    times = [record.seconds for (arm, _), record in records.items() if arm in experiment.arms]
    return {
        "experiment": experiment.name,
        "arms": len(experiment.arms),
        "seeds": f"{experiment.seeds[0]}:{experiment.seeds[-1] + 1}",
        "records": there,
        "missing": len(experiment.runs()) - there,
        "seconds a run": f"{median(times):.0f}" if times else "-",
        "for": experiment.purpose,
    }


if __name__ == "__main__":
    main()
