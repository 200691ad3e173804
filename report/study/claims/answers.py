"""The answers to the questions of claims.toml: which norm, when and why, from the runs of a family.

Records are given by (arm, seed), as `archive.read` returns them.
"""

from itertools import product

import numpy as np
import pandas as pd

from normlib.arm import Arm
from report.study import statistics
from report.study.claims import findings
from report.study.claims.book import BOOK
from report.study.claims.findings import MissingRuns, Records
from report.study.claims.questions import QUESTIONS, SEEDS, Question
from report.study.comparisons import accuracy, estimate
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
    found = [statistics.student(effects(question, records), MARGIN) for question in asked]
    adjusted = [statistics.holm([getattr(f, p) for f in found], looks=1) for p in ("p", "tost")]
    return pd.DataFrame(map(_row, asked, found, *adjusted))


def effects(question: Question, records: Records) -> np.ndarray:
    """The difference or interaction in points, seed by seed; a diverged run scores as a guess."""
    columns = [
        np.array([accuracy(records[arm, seed]) for seed in SEEDS[question.family]])
        for arm in question.settings()
    ]
    return findings.STATISTICS[question.statistic](*columns)


def _require(family: str, asked: list[Question], records: Records) -> None:
    unchosen = [q.id for q in asked if not q.is_chosen()]
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
    return {
        "id": question.id,
        "question": question.question,
        "answer": answer,
        "in words": in_words(answer, found),
        "effect (95 % interval)": estimate(found, " points"),
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
