"""The ledger's rules, as notebook A1 and claims.toml put them in words, programmed a second time.

On the book, NumPy and SciPy alone; `test_second_reading.py` holds the ledger against it.
"""

import dataclasses
import functools
import math
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

BOOK = tomllib.loads((Path(__file__).parents[3] / "report" / "claims.toml").read_text())
BEGIN, (FEW, ALL) = BOOK["design"]["first_seed"], BOOK["design"]["looks"]
LOOKS = [list(range(BEGIN, BEGIN + n)) for n in (FEW, ALL)]
GUESS = 10.0
KINDS = ("p", "tost", "outside")
SHARED = ("arms", "rates", "statistic", "metric", "over", "margin", "family")
AMENDED = {row["claim"]: row.get("changes", {}) for row in BOOK["amendments"]}
ROWS = {row["id"]: row | AMENDED.get(row["id"], {}) for row in BOOK["claims"]}
ROWS |= {
    name: {key: ROWS[row["like"]][key] for key in SHARED if key in ROWS[row["like"]]} | row
    for name, row in ROWS.items()
    if "like" in row
}
TESTED = {name: row for name, row in ROWS.items() if row.get("arms")}


class Estimate(NamedTuple):
    mean: float
    low: float
    high: float
    n: int
    p: float = math.nan
    tost: float = math.nan
    outside: float = math.nan


def margin(row):
    size = row.get("margin", math.nan)
    return BOOK["margins"][size] if isinstance(size, str) else size


# Statistics --------------------------------------------------------------------------------------


def student(x, size):
    """The mean, its 95 % interval, p of 0, and p of "outside the margin"."""
    n, middle, error = len(x), np.mean(x), np.std(x, ddof=1) / len(x) ** 0.5
    reach = stats.t.ppf(0.975, n - 1) * error
    p = 2 * stats.t.sf(abs(middle) / error, n - 1)
    sides = stats.t.sf((middle + size) / error, n - 1), stats.t.cdf((middle - size) / error, n - 1)
    outside = (
        1 - max(sides) if abs(middle) <= size else stats.t.sf((abs(middle) - size) / error, n - 1)
    )
    return Estimate(middle, middle - reach, middle + reach, n, p, max(sides), outside)


def jackknife(a, b, size):
    """The log of the ratio of the standard deviations, by pseudo-values."""

    def ratio(keep):
        return math.log(a[keep].std(ddof=1) / b[keep].std(ddof=1))

    n, seeds = len(a), np.arange(len(a))
    whole = ratio(seeds)
    return student([n * whole - (n - 1) * ratio(seeds != i) for i in seeds], size)


@functools.cache
def drawn(n):
    """How often each of n seeds is drawn in each of 20 000 resamplings."""
    return np.random.default_rng(0).multinomial(n, [1 / n] * n, 20_000)


def farther(a, b):
    """How much farther the mean of a is from 0 than that of b, by the bootstrap."""
    n = len(a)
    again = abs(drawn(n).dot(a) / n) - abs(drawn(n).dot(b) / n)
    low, high = np.quantile(again, 0.025), np.quantile(again, 0.975)
    p = max(1e-4, min(1, 2 * (again <= 0).mean(), 2 * (again >= 0).mean()))
    return Estimate(abs(a.mean()) - abs(b.mean()), low, high, n, p)


def signs(d, size):
    """The share of seeds above 0, less one half, without ties: exact."""
    above, n = int((d > 0).sum()), int((d != 0).sum())
    low = stats.beta.ppf(0.025, above, n - above + 1) if above else 0
    high = stats.beta.ppf(0.975, above + 1, n - above) if above < n else 1
    tail = min(stats.binom.cdf(above, n, 0.5), stats.binom.sf(above - 1, n, 0.5))
    return Estimate(above / n - 0.5, low - 0.5, high - 0.5, n, min(1, 2 * tail))


def best(a, others, size):
    """The difference that speaks least for "all are higher"."""
    found = [student(a - other, size) for other in others]
    t = [e.mean / (e.high - e.low) for e in found]
    seen_inside = [e.mean > 0 and -size < e.low and e.high < size for e in found]
    tost = min(1, len(found) * min(e.tost for e in found))
    if min(t) <= 0:
        shown = found[int(np.argmin(t))]
        return shown._replace(p=min(1, len(found) * shown.p), tost=tost)
    candidates = [i for i in range(len(found)) if seen_inside[i]] or range(len(found))
    shown = found[min(candidates, key=lambda i: t[i])]
    return shown._replace(p=max(e.p for e in found), tost=tost)


def estimate(row, x):
    """`x` holds an array a seed by value of each arm."""
    size, over, arms = margin(row), row.get("over", 0), [a[:, 0] for a in x]
    half = len(arms[0]) // 2
    match row.get("statistic", "difference"):
        case "difference":
            return student(arms[0] - arms[1] - over, size)
        case "interaction":
            return student(arms[0] - arms[1] - arms[2] + arms[3] - over, size)
        case "distance":
            return student(abs(arms[0] - arms[1]) - over, size)
        case "moves_less":
            return farther(arms[0] - arms[2], arms[1] - arms[2])
        case "between_seeds":
            return student(abs(arms[0][:half] - arms[0][half : 2 * half]) - over, size)
        case "spread":
            return jackknife(arms[0], arms[1], size)
        case "consistency":
            return signs(arms[0] - arms[1], size)
        case "best":
            return best(arms[0], arms[1:], size)
        case "each_epoch":
            found = [student(d, size) for d in (x[0] - x[1]).T]
            outside = min(1, len(found) * min(e.outside for e in found))
            return max(found, key=lambda e: e.tost)._replace(outside=outside)
        case "closest":
            found = [student(other - arms[0], size) for other in arms[1:]]
            shown = min(found, key=lambda e: e.tost)
            outside = max(e.outside for e in found)
            return shown._replace(tost=min(1, len(found) * shown.tost), outside=outside)


# Runs --------------------------------------------------------------------------------------------


def value(metric, run):
    if run.diverged is not None:
        return [GUESS] if metric == "test_accuracy" else None
    train, test = 100 * np.array(run.train_accuracy), 100 * np.array(run.test_accuracy)
    return {
        "test_accuracy": test[-1:],
        "train_accuracy": train[-1:],
        "accuracy_by_epoch": np.append(train, test),
        "generalization_gap": train[-1:] - test[-1:],
        "mean_training_loss": [sum(run.train_loss) / len(run.train_loss)],
        "first_epoch_loss": run.train_loss[:1],
        "seconds": [run.seconds],
    }[metric]


def settings(row, arms):
    chosen = BOOK["learning_rates"]["chosen"]
    for name in row["arms"]:
        best_rate = {"learning_rate": chosen[name]} if row.get("rates") == "best" else {}
        yield dataclasses.replace(arms[name], **best_rate)


def read(row, runs, arms, seeds):
    """The estimate of the seeds whose runs have a value, if not too few, and whether none lacks."""
    metric = row.get("metric", "test_accuracy")
    of = [*settings(row, arms)]
    values = [[value(metric, runs[arm, seed]) for arm in of] for seed in seeds]
    known = [row for row in values if all(v is not None for v in row)]
    x = [np.array(arm, float) for arm in zip(*known, strict=True)]
    return (estimate(row, x) if len(known) >= 4 else None), len(known) == len(seeds)


# Verdicts ----------------------------------------------------------------------------------------


def adjusted(found):
    """Twice p, Holm over the family; the three p of every tested row."""
    own = [name for name in TESTED if "like" not in TESTED[name]]
    result = {}
    for kind in KINDS:
        for family in {TESTED[name]["family"] for name in own}:
            p = {n: 1.0 for n in own if TESTED[n]["family"] == family}
            p |= {n: getattr(found[n], kind) for n in p if found.get(n)}
            p = {n: 1.0 if math.isnan(v) else min(1, 2 * v) for n, v in p.items()}
            largest = 0.0
            for rank, name in enumerate(sorted(p, key=p.get)):
                largest = max(largest, min(1, (len(p) - rank) * p[name]))
                result[name, kind] = largest
    return {n: [result[TESTED[n].get("like", n), kind] for kind in KINDS] for n in TESTED}


def decide(row, found, p, tost, outside):
    """The verdict, and the p of the test that gave it."""
    size, kind = margin(row), row["claim"]
    if kind in ("equal", "unequal"):
        if tost <= 0.05:
            return ("EQUIVALENT" if kind == "equal" else "REFUTED"), tost
        if outside <= 0.05:
            return ("REFUTED" if kind == "equal" else "SUPPORTED"), outside
        return "INCONCLUSIVE", tost
    if tost <= 0.05:
        return "REFUTED", tost
    if p > 0.05:
        return "INCONCLUSIVE", p
    if (kind == "higher" and found.mean < 0) or (kind == "lower" and found.mean > 0):
        return "REFUTED", p
    seen_inside = -size < found.low and found.high < size
    return ("INCONCLUSIVE" if seen_inside else "SUPPORTED"), p


def ledger(runs, arms):
    """By claim: verdict, look, outcome, p, estimate; and every (arm, seed) that a look needs."""

    def look(seeds, names):
        return {name: read(TESTED[name], runs, arms, seeds) for name in names}

    def said(found, number):
        p = adjusted({n: of if whole else None for n, (of, whole) in found.items()})
        return {
            n: (*(decide(TESTED[n], of, *p[n]) if whole else ("INCONCLUSIVE", math.nan)), number)
            for n, (of, whole) in found.items()
        }

    found = look(LOOKS[0], TESTED)
    verdicts = said(found, 1)
    seeded = {arm for n in BOOK["design"]["second_look"] for arm in settings(TESTED[n], arms)}
    again = [
        n
        for n, (of, whole) in found.items()
        if verdicts[n][0] == "INCONCLUSIVE" and whole and seeded >= {*settings(TESTED[n], arms)}
    ]
    found |= look(LOOKS[1], again)
    after = said(found, 2)
    verdicts |= {n: after[n] for n in again}
    result = {}
    for name, (verdict, p, number) in verdicts.items():
        foreseen = TESTED[name].get("prediction")
        outcome = "–" if not foreseen else "held" if verdict == foreseen else "failed"
        result[name] = verdict, number, outcome, p, found[name][0]
    needed = {
        (arm, seed)
        for name, (_, number, *_) in result.items()
        for arm in settings(TESTED[name], arms)
        for seed in LOOKS[number - 1]
    }
    return result, needed


# The questions -----------------------------------------------------------------------------------


def answers(family, settings, runs):
    """By question of a family, whose arms are given: answer, (mean, low, high), deciding p."""
    asked = [row for row in BOOK["questions"] if row["family"] == family]
    seeds = range(300, 300 + BOOK["families"][family]["seeds"])
    found = {}
    for row in asked:
        x = [
            [value("test_accuracy", runs[arm, s])[0] for s in seeds] for arm in settings[row["id"]]
        ]
        x = np.array(x, float)
        signs = {2: [1, -1], 4: [1, -1, -1, 1]}[len(x)]
        found[row["id"]] = student(signs @ x, BOOK["margins"]["points"])
    adjusted = {}
    for kind in ("p", "tost"):
        largest = 0.0
        ranked = sorted(found, key=lambda name: getattr(found[name], kind))
        for rank, name in enumerate(ranked):
            largest = max(largest, min(1, (len(found) - rank) * getattr(found[name], kind)))
            adjusted[name, kind] = largest
    result = {}
    for name, of in found.items():
        p, tost = adjusted[name, "p"], adjusted[name, "tost"]
        side = "higher" if of.mean > 0 else "lower"
        answer = "equal" if tost <= 0.05 else side if p <= 0.05 else "not resolved"
        result[name] = answer, (of.mean, of.low, of.high), tost if answer == "equal" else p
    return result
