"""The answers to the questions of claims.toml: which norm, when and why, from the runs of a family.

Records are given by (arm, seed), as `archive.read` returns them.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from normlib.arm import Arm
from report.study import statistics
from report.study.arms import OUR_LN
from report.study.claims import findings, questions
from report.study.claims.book import BOOK
from report.study.claims.findings import MissingRuns, Records
from report.study.claims.questions import CHOOSING, MORE, QUESTIONS, RATES, SEEDS, Question
from report.study.comparisons import GUESS, interval, signed
from report.study.statistics import Finding

MARGIN = BOOK["margins"]["points"]
STARTS = {"normal": "N(0, 0.1²)", "he": "He's initialization"}


def answers(family: str, records: Records) -> pd.DataFrame:
    """One row per question of the family: the answer, its effect with the interval, adjusted p.

    The p-values are adjusted by Holm over the family, of the t test and of the equivalence test
    each; shown is that of the test that decided. Raises MissingRuns, which names the sweep to run.
    """
    asked = [question for question in QUESTIONS.values() if question.family == family]
    _require(family, asked, records)
    found = [statistics.mean(effects(question, records), MARGIN) for question in asked]
    adjusted = [statistics.holm([getattr(f, p) for f in found], looks=1) for p in ("p", "tost")]
    return pd.DataFrame(map(_row, asked, found, *adjusted))


def effects(question: Question, records: Records) -> np.ndarray:
    """The difference or interaction in points, seed by seed; a diverged run scores as a guess."""
    columns = [
        np.array([_accuracy(records[arm, seed]) for seed in SEEDS[question.family]])
        for arm in question.settings()
    ]
    return findings.STATISTICS[question.statistic](*columns)


def _accuracy(record) -> float:
    return 100 * record.test_accuracy[-1] if record.diverged is None else GUESS


def _require(family: str, asked: list[Question], records: Records) -> None:
    unchosen = [q.id for q in asked if q.rates and not q.is_chosen()]
    if unchosen:
        raise MissingRuns(
            f"The learning rates of {', '.join(unchosen)} are not chosen yet. Train the candidates "
            f"with: python3 lab.py sweep {family}_rates, and choose in report/claims.toml."
        )
    needed = {key for q in asked for key in product(q.settings(), SEEDS[family])}
    if missing := [key for key in needed if key not in records]:
        raise MissingRuns(
            f"The records lack {len(missing)} of the {len(needed)} runs of family {family}. Train "
            f"them with: python3 lab.py sweep {family}"
        )


def _row(question: Question, found: Finding, p: float, tost: float) -> dict:
    answer = statistics.answer(found, p, tost)
    between = f"{signed(found.low)} to {signed(found.high)}"
    return {
        "id": question.id,
        "question": question.question,
        "answer": answer,
        "in words": in_words(answer, found),
        "effect (95 % interval)": f"{signed(found.mean)} points ({between})",
        "n": found.n,
        "adjusted p": f"{tost if answer == 'equal' else p:.2g}",
        "prediction": question.prediction,
        "outcome": "held" if answer == question.prediction else "failed",
        **{end: getattr(found, end) for end in ("mean", "low", "high")},
        "reason": question.reason,
    }


def in_words(answer: str, found: Finding) -> str:
    """The answer as a table says it: with the margin, and how far the interval reaches into it."""
    if answer == "equal":
        return f"equal within {found.margin:g} points"
    least = found.low if answer == "higher" else -found.high
    negligible = answer != "not resolved" and least < found.margin
    return f"{answer}, possibly negligible" if negligible else answer


def by_arms(found: pd.DataFrame) -> dict[tuple[Arm, ...], pd.Series]:
    """The rows of `answers` by the arms that they compare."""
    return {QUESTIONS[row["id"]].settings(): row for _, row in found.iterrows()}


def differences_table(found: pd.DataFrame) -> pd.DataFrame:
    """One row per difference of two arms: which, the answer in words, effect and prediction."""
    arms = [QUESTIONS[name].settings() for name in found["id"]]
    named = [f"{row_name(arm)} − {row_name(other)}" for arm, other in arms]
    columns = ["effect (95 % interval)", "n", "adjusted p", "prediction", "outcome"]
    front = pd.DataFrame({"id": found["id"], "difference": named, "answer": found["in words"]})
    return pd.concat([front, found[columns]], axis=1)


def gains_table(found: pd.DataFrame) -> pd.DataFrame:
    """One row per norm and place: its gain from either start, and how far the two gains differ.

    With 95 % intervals; what is not resolved has a degree sign.
    """
    effects = by_arms(found)
    norms = {row_name(arms[0]): arms for arms in effects if len(arms) == 4}
    return pd.DataFrame(
        {
            "norm": name,
            f"gain from {STARTS['normal']}": _brief(effects[arms[:2]]),
            f"gain from {STARTS['he']}": _brief(effects[arms[2:]]),
            "difference of the gains": _brief(effects[arms]),
        }
        for name, arms in norms.items()
    )


def row_name(arm: Arm) -> str:
    """What normalizes, and where; after the convolution if it does not say."""
    each = " (per element)" if arm == replace(OUR_LN, init=arm.init) else ""
    return arm.mode.removeprefix("our ") + each


def _brief(row: pd.Series) -> str:
    mean, low, high = (signed(row[end]) for end in ("mean", "low", "high"))
    mark = "°" if row["answer"] == "not resolved" else ""
    return f"{mean}{mark} ({low} to {high})"


def rates_table(table: str, records: Records) -> pd.DataFrame:
    """One row per arm: the mean accuracy at each learning rate, which was chosen, how surely.

    Accuracies in percent, on the validation split, with a star at the finalists; the lead of the
    chosen rate over the other finalist in points, paired by seed, with its 95 % interval.
    """
    grids = {name: questions.grid(name, table) for name in RATES[table]["chosen"]}
    every = sorted({rate for grid in grids.values() for rate in grid})

    def row(name: str) -> dict:
        finalists, chosen = RATES[table]["finalists"][name], RATES[table]["chosen"][name]
        scores = {rate: _scores(name, rate, table, records) for rate in grids[name]}
        shown = {rate: f"{s.mean():.2f}{'*' * (rate in finalists)}" for rate, s in scores.items()}
        means = {f"{rate:g}": shown.get(rate, "–") for rate in every}
        (other,) = set(finalists) - {chosen}
        lead = interval(scores[chosen] - scores[other])
        said = f"{signed(lead.mean)} ({signed(lead.low)} to {signed(lead.high)})"
        choice = {"chosen": f"{chosen:g}", "lead over the other finalist": said}
        return {"norm": row_name(questions.ARMS[name])} | means | choice

    return pd.DataFrame(map(row, grids))


def _scores(name: str, rate: float, table: str, records: Records) -> np.ndarray:
    """By seed, the accuracy on the validation split of an arm at this rate."""
    more = MORE if rate in RATES[table]["finalists"][name] else ()
    arm = questions.candidate(name, rate)
    return np.array([_accuracy(records[arm, seed]) for seed in (*CHOOSING, *more)])
