"""How many predictions and published sentences hold: as the text and as the tables count them."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from report.study.claims.book import BOOK

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
    assert all(numbers in ([], [str(counts[verdict])]) for verdict, numbers in found.items())
    assert found["SUPPORTED"] and found["REFUTED"] and found["INCONCLUSIVE"]
    assert re.search(r"(?:Of|makes) (\d+)", told)[1] == str(counts.sum())
