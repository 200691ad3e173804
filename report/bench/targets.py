"""What the lab promises of its speed, and whether the measurements keep it."""

from math import floor

import numpy as np

from report.bench.contenders import SHORT
from report.bench.race import Result, fault

PEERS = ("report.bench.keras_fit", "report.bench.pytorch")
STEP = {"none": 1.8, "weight": 1.8, "batch": 1.3, "layer": 1.3}  # times faster, at least
SWEEP = {"none": 1.8, "weight": 1.8, "batch": 1.5, "layer": 1.5}
FOLDED_STEP, FOLDED_SWEEP, PUBLISHED = 1.6, 2.2, 100
OVERHEAD, FOLDED_OVERHEAD = 0.6, 0.25  # of the step without a norm, at most
MEMORY_GB, GROWTH, IMPORT_SECONDS, LINEAR = 1.5, 0.02, 0.3, 0.1  # at most

Groups = dict[str, list[Result]]


def row(what: str, target: str, measured: str, met: bool | None) -> dict:
    """A line of the table; `met` is None where something was not measured."""
    answer = {True: "yes", False: "no", None: "not shown"}[met]
    return {"what": what, "target": target, "measured": measured, "met": answer}


def of_races(steps: Groups, sweeps: Groups) -> list[dict]:
    """The promises on the training step, and on sweeps."""
    rows = []
    for what, groups, floors, folded in (
        ("a step, all cores", steps, STEP, FOLDED_STEP),
        ("a sweep, a thread a run", sweeps, SWEEP, FOLDED_SWEEP),
    ):
        rows += [faster(what, groups[n], groups[n][0], floors[n]) for n in floors]
        rows.append(faster(what, groups["batch"], named(groups["batch"], "folded"), folded))
    batch = steps["batch"]
    rows.append(overhead(batch, batch[0], OVERHEAD))
    rows.append(overhead(batch, named(batch, "folded"), FOLDED_OVERHEAD))
    return [*rows, published(steps["none"])]


def named(results: list[Result], part: str) -> Result:
    """The one with that in its name."""
    return next(result for result in results if part in result.contender.name)


def faster(what: str, results: list[Result], mine: Result, least: float) -> dict:
    """Mine against the fastest of PEERS; shown only if all of them were measured."""
    what = f"{what}: {SHORT[mine.contender.norm]}, {mine.contender.name}"
    target = f"at least {least}× faster than the fastest peer"
    if why := fault(mine, results[0]):
        return row(what, target, why, None)
    rivals = [result for result in results if result.contender.module in PEERS]
    absent = [r.contender.name for r in rivals if fault(r, results[0])]
    ratios = [(r.over(mine), r) for r in rivals if r.contender.name not in absent]
    ratio, fastest = min(ratios, key=lambda pair: pair[0], default=(np.inf, None))
    # Cut, not rounded: 1.799 is not 1.8.
    measured = [f"{floor(100 * ratio) / 100:.2f}× ({fastest.contender.name})"] if fastest else []
    measured += [f"without {', '.join(absent)}"] if absent else []
    met = False if ratio < least else None if absent else True
    return row(what, target, "; ".join(measured), met)


def overhead(batch: list[Result], mine: Result, most: float) -> dict:
    """What BN of ours adds to the step without a norm, in percent."""
    what, target = f"overhead of BN over none: {mine.contender.name}", f"at most {most:.0%}"
    none = next(result for result in batch if result.contender.norm == "none")
    if why := none.missing or fault(mine, batch[0]):
        return row(what, target, why, None)
    added = mine.over(none) - 1
    return row(what, target, f"{added:.0%}", added <= most)


def published(none: list[Result]) -> dict:
    """The factor to the published script's way."""
    theirs = named(none, "published")
    what, target = "a step: none, ours, against the published script's", f"about {PUBLISHED}×"
    if why := fault(theirs, none[0]):
        return row(what, target, why, None)
    factor = theirs.over(none[0])
    return row(what, target, f"{factor:.0f}×", factor >= PUBLISHED)


def of_memory(peaks: dict[str, list[float]]) -> list[dict]:
    """The promises on peak memory in GB, after one epoch and after two, by norm."""
    most = max((values[-1], SHORT[norm]) for norm, values in peaks.items())
    growth = max(after / before - 1 for before, after in peaks.values())
    return [
        row("peak memory of one run", f"at most {MEMORY_GB} GB", "{:.2f} GB ({})".format(*most),
            most[0] <= MEMORY_GB),
        row("peak memory after two epochs over after one", f"flat: at most {GROWTH:.0%} more",
            f"{growth:.1%} more", growth <= GROWTH),
    ]  # fmt: skip


def of_imports(seconds: dict[str, float]) -> list[dict]:
    """The promise on imports, in seconds by module."""
    target = f"at most {IMPORT_SECONDS} s"
    return [
        row(f"import of {module} beyond TensorFlow and Keras", target, f"{value:.2f} s",
            value <= IMPORT_SECONDS) for module, value in seconds.items()
    ]  # fmt: skip


def of_scaling(rows: list[dict]) -> list[dict]:
    """The promise that time is linear in images: each costs what it costs among the most."""
    rows = [r for r in rows if r["varied"] == "images"]
    most = {r["norm"]: r["µs per image"] for r in rows}  # the last, with the most images
    off = max(abs(r["µs per image"] / most[r["norm"]] - 1) for r in rows)
    fewest, largest = min(r["images"] for r in rows), max(r["images"] for r in rows)
    what = f"time per image, {fewest} to {largest} images an epoch"
    return [row(what, f"linear: at most {LINEAR:.0%} off", f"{off:.0%} off", off <= LINEAR)]
