"""The questions in report/claims.toml: which norm, when and why; the runs that answer them.

`book.py` has the claims on the published report. Here a question has one look, and an answer in
words: higher, lower, equal or not resolved.
"""

from dataclasses import dataclass, replace

from normlib.arm import Arm
from report.study.claims.book import BOOK

ARMS = {name: Arm(**settings) for name, settings in BOOK["question_arms"].items()}
RATES = BOOK["rates"]
FIRST_SEED = 300
# The seeds that rates are chosen with: at first, by table, and more for the two best.
CHOOSING = {name: tuple(range(400, 400 + table["seeds"])) for name, table in RATES.items()}
MORE = (403, 404, 405, 406, 407)
# The seeds of each family's runs.
SEEDS = {
    name: tuple(range(FIRST_SEED, FIRST_SEED + family["seeds"]))
    for name, family in BOOK["families"].items()
}


@dataclass(frozen=True)
class Question:
    """A row of claims.toml: what is asked of `arms`, and what we expect.

    `statistic` is the "difference" of two arms or the "interaction" of four, of their final test
    accuracy; `rates` the table of learning rates chosen for the arms, "" for the published one.
    """

    id: str
    family: str
    question: str
    arms: tuple[str, ...]
    prediction: str
    reason: str
    statistic: str = "difference"
    rates: str = ""

    def is_chosen(self) -> bool:
        """Whether its arms have the learning rates that they are to be compared at."""
        return not self.rates or RATES[self.rates]["chosen"].keys() >= set(self.arms)

    def settings(self) -> tuple[Arm, ...]:
        """The arms compared, at their chosen learning rates; KeyError before these are chosen."""
        return tuple(
            at_its_rate(name, self.rates) if self.rates else ARMS[name] for name in self.arms
        )


def at_its_rate(name: str, table: str) -> Arm:
    """The arm at the learning rate that this table has chosen for it."""
    return replace(ARMS[name], learning_rate=RATES[table]["chosen"][name])


def chosen(table: str) -> dict[Arm, float]:
    """The learning rate that this table has chosen, by the arm as it is without."""
    return {ARMS[name]: rate for name, rate in RATES[table]["chosen"].items()}


QUESTIONS = {row["id"]: Question(**row) for row in BOOK["questions"]}


def of_family(name: str) -> list[Arm]:
    """The arms of a family's questions; none before all their learning rates are chosen."""
    asked = [question for question in QUESTIONS.values() if question.family == name]
    if not all(question.is_chosen() for question in asked):
        return []
    return list(dict.fromkeys(arm for question in asked for arm in question.settings()))


def grid(name: str, table: str) -> list[float]:
    """The learning rates tried for an arm, rising."""
    rates = RATES[table]["grid"]
    tried = rates.get(name, []) if isinstance(rates, dict) else rates
    return sorted([*tried, *RATES[table].get("extended", {}).get(name, [])])


def candidates(table: str) -> list[Arm]:
    """Every arm of the table at every rate of its grid, scored on the validation split."""
    return [candidate(name, rate) for name in RATES[table]["arms"] for rate in grid(name, table)]


def finalists(table: str) -> list[Arm]:
    """Every arm at the two rates that get more seeds."""
    rates = RATES[table].get("finalists", {})
    return [candidate(name, rate) for name in rates for rate in rates[name]]


def candidate(name: str, rate: float) -> Arm:
    """The arm at this rate, scored on the validation split."""
    return replace(ARMS[name], learning_rate=rate, scored_on="validation")
