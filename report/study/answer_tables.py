"""Tables of the answers: which norm, from which start, at which place, rate and minibatch.

Answers are rows of `answers.answers`. Intervals are of 95 %; what is not resolved has a degree sign
where no column says it. Records are given by (arm, seed), as `archive.read` returns them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from normlib.arm import SHORT, Arm
from report.study import statistics
from report.study.arms import OUR_LN
from report.study.claims import questions
from report.study.claims.answers import STARTS, by_arms
from report.study.claims.findings import Records
from report.study.claims.questions import CHOOSING, MORE, QUESTIONS, RATES
from report.study.comparisons import Interval, accuracy, estimate, interval


def row_name(arm: Arm) -> str:
    """What normalizes, and where; after the convolution if it does not say."""
    each = " (per element)" if arm == replace(OUR_LN, init=arm.init) else ""
    return arm.mode.removeprefix("our ") + each


def questions_table(found: pd.DataFrame) -> pd.DataFrame:
    """One row per question: its words, the answer in words, effect, adjusted p, prediction."""
    shown = found.drop(columns=["answer", "mean", "low", "high", "reason"])
    return shown.rename(columns={"in words": "answer"})


def differences_table(found: pd.DataFrame) -> pd.DataFrame:
    """One row per difference of two arms: which, the answer in words, effect and prediction."""
    arms = [QUESTIONS[name].settings() for name in found["id"]]
    named = [f"{row_name(arm)} − {row_name(other)}" for arm, other in arms]
    columns = ["effect (95 % interval)", "n", "adjusted p", "prediction", "outcome"]
    front = pd.DataFrame({"id": found["id"], "difference": named, "answer": found["in words"]})
    return pd.concat([front, found[columns]], axis=1)


def gains_table(found: pd.DataFrame) -> pd.DataFrame:
    """One row per norm and place: its gain from either start, and how far the two gains differ."""
    effects = by_arms(found)
    norms = {row_name(arms[0]): arms for arms in effects if len(arms) == 4}
    return pd.DataFrame(
        {
            "norm": name,
            f"gain from {STARTS['normal']}": _answer(effects[arms[:2]]),
            f"gain from {STARTS['he']}": _answer(effects[arms[2:]]),
            "difference of the gains": _answer(effects[arms]),
        }
        for name, arms in norms.items()
    )


def minibatches_table(found: pd.DataFrame) -> pd.DataFrame:
    """One row per size of the minibatch, one column per norm: its gain over no normalization."""
    gains = {arms: row for arms, row in by_arms(found).items() if len(arms) == 2}
    return pd.DataFrame(
        {"minibatch": size}
        | {
            SHORT[norm.norm]: _answer(row)
            for (norm, _), row in gains.items()
            if norm.batch_size == size
        }
        for size in dict.fromkeys(norm.batch_size for norm, _ in gains)
    )


def rates_table(table: str, records: Records) -> pd.DataFrame:
    """One row per arm: the mean accuracy at each learning rate, which was chosen, how surely.

    Accuracies in percent, on the validation split, with a star at the finalists; the lead of the
    chosen rate over the other finalist in points, paired by seed.
    """
    grids = {name: questions.grid(name, table) for name in RATES[table]["chosen"]}
    every = sorted({rate for grid in grids.values() for rate in grid})

    def row(name: str) -> dict:
        finalists, chosen = RATES[table]["finalists"][name], RATES[table]["chosen"][name]
        scores = {rate: _scores(name, rate, table, records) for rate in grids[name]}
        shown = {rate: f"{s.mean():.2f}{'*' * (rate in finalists)}" for rate, s in scores.items()}
        means = {f"{rate:g}": shown.get(rate, "–") for rate in every}
        (other,) = set(finalists) - {chosen}
        lead = estimate(interval(scores[chosen] - scores[other]))
        choice = {"chosen": f"{chosen:g}", "lead over the other finalist": lead}
        return {"norm": row_name(questions.ARMS[name])} | means | choice

    return pd.DataFrame(map(row, grids))


def choices_table(table: str, records: Records) -> pd.DataFrame:
    """One row per arm of a table without finalists: the mean accuracy at each rate, the choice.

    Accuracies in percent, on the validation split; the lead of the chosen rate over the next best
    in points, paired by seed.
    """

    def row(name: str) -> dict:
        arm, chosen = questions.ARMS[name], RATES[table]["chosen"][name]
        scores = {r: _scores(name, r, table, records) for r in questions.grid(name, table)}
        others = [found for rate, found in scores.items() if rate != chosen]
        lead = interval(scores[chosen] - max(others, key=np.mean))
        return {
            "minibatch": arm.batch_size,
            "images": questions.candidate(name, chosen).images,
            "norm": row_name(arm),
            "rate: accuracy (%)": "; ".join(f"{r:g}: {s.mean():.2f}" for r, s in scores.items()),
            "chosen": f"{chosen:g}",
            "lead over the next best": estimate(lead),
        }

    return pd.DataFrame(map(row, RATES[table]["chosen"]))


def _scores(name: str, rate: float, table: str, records: Records) -> np.ndarray:
    """By seed, the accuracy on the validation split of an arm at this rate."""
    finalists = RATES[table].get("finalists", {}).get(name, ())
    more = MORE if rate in finalists else ()
    arm = questions.candidate(name, rate)
    return np.array([accuracy(records[arm, seed]) for seed in (*CHOOSING[table], *more)])


def tuning_table(
    tuned: Iterable[tuple[Arm, float, Sequence[int]]], records: Records
) -> pd.DataFrame:
    """One row per arm: its final test accuracy at a chosen rate, at its own, and the difference.

    tuned: an arm, the rate chosen for it, and the seeds. In percent and, paired by seed, in points.
    """

    def row(arm: Arm, rate: float, seeds: Sequence[int]) -> dict:
        at_chosen, at_own = (
            np.array([accuracy(records[one, seed]) for seed in seeds])
            for one in (replace(arm, learning_rate=rate), arm)
        )
        same = rate == arm.learning_rate
        return {
            "from": STARTS[arm.init],
            "norm": row_name(arm),
            "rate": f"{rate:g}",
            "accuracy (%)": f"{at_chosen.mean():.2f}",
            f"at {arm.learning_rate:g}": f"{at_own.mean():.2f}",
            "difference (95 % interval)": "–" if same else estimate(interval(at_chosen - at_own)),
        }

    return pd.DataFrame(row(*one) for one in tuned)


def correlations_table(
    scores: dict[str, pd.Series], first: pd.DataFrame, measures: dict[str, str]
) -> pd.DataFrame:
    """One row per score and measure of the first step: their rank correlation over the arms.

    Over all arms and within either start. scores: by arm; first: `first_step.table` of the arms;
    measures: names for its columns.
    """

    def row(score: str, measure: str) -> dict:
        by_arm = scores[score]
        parts = {"all arms": by_arm.index} | {
            f"from {start}": [arm for arm in by_arm.index if arm.init == init]
            for init, start in STARTS.items()
        }
        return {"of": score, "with": measures[measure]} | {
            part: estimate(statistics.rank_correlation(first.loc[arms, measure], by_arm[arms]))
            for part, arms in parts.items()
        }

    return pd.DataFrame(row(*pair) for pair in product(scores, measures))


def _answer(row: pd.Series) -> str:
    mark = "°" if row["answer"] == "not resolved" else ""
    return estimate(Interval(*row[["mean", "low", "high", "n"]]), mark)
