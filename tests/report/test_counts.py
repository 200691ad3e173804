"""How many predictions and published sentences hold: as the text and as the tables count them."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from report.study.claims.book import BOOK
from report.study.experiments import EXPERIMENTS

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "report" / "tables"
WORDS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve", "thirteen", "fourteen", "fifteen"]  # fmt: skip


def number(word):
    return int(word) if word.isdigit() else WORDS.index(word.lower())


def text(path):
    if path.suffix == ".md":
        return path.read_text("utf-8")
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_of_each_family_the_text_counts_the_predictions_that_held_or_failed():
    (notebook,) = (ROOT / "notebooks").glob("05_*.ipynb")
    pattern = r"(\w+) of (?:our )?(\w+) predictions (held|failed)"
    told = [(number(n), number(of), how) for n, of, how in re.findall(pattern, text(notebook))]
    answers = pd.read_csv(TABLES / "answers.csv")
    family = answers["id"].map(
        {question["id"]: question["family"] for question in BOOK["questions"]}
    )
    outcomes = [answers["outcome"][family == name] for name in family.unique()]
    assert told == [
        ((found == how).sum(), len(found), how)
        for found, (*_, how) in zip(outcomes, told, strict=True)
    ]


@pytest.mark.parametrize("start", ["README", "notebooks/00", "notebooks/A1"])
def test_published_sentences_are_counted_as_the_ledger_counts_them(start):
    (path,) = ROOT.glob(f"{start}*")
    claims = pd.read_csv(TABLES / "claims.csv")
    counts = claims.loc[claims["section"] != "ours", "verdict"].value_counts()
    (told,) = re.findall(r"[^\n]*\b(?:Of|makes) \d+ [^\n]*supported[^\n]*", text(path))
    said = {
        "SUPPORTED": r"(\d+) are supported",
        "EQUIVALENT": r"(\d+) (?:equivalent|hold as equalities)",
        "REFUTED": r"(\d+) (?:are )?refuted",
        "INCONCLUSIVE": r"(\d+) (?:are )?left open",
        "UNTESTABLE-AS-STATED": r"(\d+) (?:untestable|cannot be tested)",
    }
    found = {verdict: re.findall(pattern, told) for verdict, pattern in said.items()}
    assert found == {verdict: [str(counts[verdict])] for verdict in said}
    assert re.search(r"(?:Of|makes) (\d+)", told)[1] == str(counts.sum())


def test_the_changelog_counts_the_questions_and_their_runs():
    (runs, asked) = re.search(
        r"Which norm, when and why: (\d \d{3}) runs answer (\d+) questions",
        text(ROOT / "CHANGELOG.md"),
    ).groups()
    families = [e for name, e in EXPERIMENTS.items() if name.split("_")[0] in BOOK["families"]]
    trained = {(arm, seed) for family in families for arm in family.arms for seed in family.seeds}
    assert int(runs.replace(" ", "")) == len(trained)
    assert int(asked) == len(BOOK["questions"])
