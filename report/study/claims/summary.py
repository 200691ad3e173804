"""The ledger in a few words, for the report's first page and the README."""

import re

import pandas as pd

from report.study.claims import conclusions
from report.study.claims.book import FIRST, LAST
from report.study.statistics import VERDICTS

OUTCOMES = {
    "held": " Prediction held.",
    "failed": " Prediction failed.",
    "pending": " A second look is to come.",
    "–": "",
}


def in_short(book: pd.DataFrame) -> str:
    """What the ledger comes to: the two conclusions, then the counts."""
    return "\n\n".join([conclusions.which(book), conclusions.why(book), counts(book)])


def counts(book: pd.DataFrame) -> str:
    """How many claims and tests there are, which verdicts, and how our predictions fared.

    Several sentences may share a test; a prediction counts once.
    """
    ours = (book["section"] == "ours").sum()
    sizes = book["verdict"].value_counts()
    found = [f"{sizes[verdict]} {verdict}" for verdict in VERDICTS if verdict in sizes]
    if "pending" in sizes:
        found.append(f"{sizes['pending']} pending, for want of runs")
    own, argued = book["like"] == "", book["unit"] == "–"
    return (
        f"{len(book) - ours} claims of the published report and {ours} of ours, put to "
        f"{(own & ~argued).sum()} tests and {argued.sum()} arguments: "
        f"{', '.join(found)}. {_second_look(book)}{_predictions(book[own])}"
    )


def _second_look(book: pd.DataFrame) -> str:
    """What more seeds may still change, or have decided: see `ledger.ledger`."""
    left, again = book["verdict"] == "INCONCLUSIVE", book["look"] == 2
    if waiting := (left & (book["outcome"] == "pending")).sum():
        return f"{waiting} of the INCONCLUSIVE get a second look, with {len(LAST)} seeds. "
    if not again.any():
        return ""
    return (
        f"{again.sum()} claims were INCONCLUSIVE after {len(FIRST)} seeds and got a second look, "
        f"with {len(LAST)}, which decided {(again & ~left).sum()} of them. "
    )


def _predictions(book: pd.DataFrame) -> str:
    held, failed = (book["outcome"] == outcome for outcome in ("held", "failed"))
    if not (held | failed).any():
        return "None of the ledger's predictions is decided yet."
    left = (failed & (book["verdict"] == "INCONCLUSIVE")).sum()
    return (
        f"Of the ledger's {(held | failed).sum()} predictions that are decided, {held.sum()} held "
        f"and {failed.sum()} failed, {left} of these on a claim left INCONCLUSIVE."
    )


def decided(book: pd.DataFrame) -> str:
    """The decided claims as Markdown, a list a verdict, each linked to what decides it.

    Claims that share a test and its verdict share an item.
    """
    lists = [_list(verdict, book[book["verdict"] == verdict]) for verdict in VERDICTS]
    return "\n\n".join(filter(None, lists))


def _list(verdict: str, rows: pd.DataFrame) -> str:
    tests = rows["like"].where(rows["like"] != "", rows["id"])
    items = [_item(same.to_dict("records")) for _, same in rows.groupby(tests, sort=False)]
    return "\n".join([f"**{verdict}** ({len(rows)}):", "", *items]) if items else ""


def _item(same: list[dict]) -> str:
    first, space = same[0], "\N{NO-BREAK SPACE}"
    claims = [f"[{r['id']}]({r['decided by']}) {_unstopped(r['claim'])}" for r in same]
    tested = f" (tested: {_unstopped(text)})" if (text := first["what is tested"]) else ""
    effect, outcome = first["effect (95 % interval)"], OUTCOMES[first["outcome"]]
    found = first["reason"] if effect == "–" else f"{effect}, n{space}={space}{first['n']}."
    return f"- {'; '.join(claims)}{tested}: {found}{outcome}"


def _unstopped(claim: str) -> str:
    return re.sub(r"\.(”?)$", r"\1", claim)
