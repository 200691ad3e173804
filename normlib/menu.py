"""What `lab.py sweep` offers: a table of the experiments, and seeds of one's own choice."""

import argparse
import re
from statistics import median

import pandas as pd

from normlib.arms import Experiment


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
    """A line an experiment: its size, how many of its runs there are, what one takes.

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
