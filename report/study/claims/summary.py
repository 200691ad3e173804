"""The ledger in words, for notebooks, the report's first page and the README."""

import re

import pandas as pd

from report.study.claims.book import FIRST, LAST
from report.study.statistics import VERDICTS

OUTCOMES = {"held": " Prediction held.", "failed": " Prediction failed.", "–": ""}
NORMS = ("BN", "LN on the hidden layer", "WN")
WHICH = {
    "Final test accuracy at the published settings": ("H1", "H2", "H3"),
    "Final test accuracy, each at its own best learning rate": ("L1", "L2", "L3"),
    "Training loss averaged over the run, where lower is faster": ("H4", "H5", "H6"),
}
RIVALS = {
    "H7": "LN on the hidden layer and BN after the convolution, placed as published",
    "H8": "both after the convolution",
    "L4": "placed as published, each at its own best learning rate",
}


def in_short(ledger: pd.DataFrame) -> str:
    """What the ledger comes to: the two conclusions, then the counts."""
    return "\n\n".join([which(ledger), why(ledger), counts(ledger)])


# Conclusions ------------------------------------------------------------------------------------


def which(ledger: pd.DataFrame) -> str:
    """Which normalization is better here, and when: each norm against none."""
    lines = [
        f"- {what}: {_answers(ledger, dict(zip(ids, NORMS, strict=True)))}."
        for what, ids in WHICH.items()
    ]
    lead = "**Which normalization is better here, and when.** Compared to no normalization:"
    return "\n".join([lead, "", *lines])


def why(ledger: pd.DataFrame) -> str:
    """Whether LN is better than BN here, and what the runs say of two reasons why."""
    return (
        "**Whether LN is better than BN, and why.** LN compared to BN:\n\n"
        f"- Final test accuracy: {_answers(ledger, RIVALS)}.\n"
        "- Small minibatches, a possible reason: 4 compared to 100, one epoch, learning rate in "
        "proportion, norms after the convolution. If they hurt BN, both of these would be lower. "
        f"BN's lead over LN: {_answer(ledger, 'H11')}; BN's lead over no normalization: "
        f"{_answer(ledger, 'C20b')}.\n"
        "- Large initial weights, a possible reason: the published N(0, 0.1²) compared to He's. If "
        "LN's use is to repair them, this would be higher. What LN on the hidden layer gains over "
        f"no normalization: {_answer(ledger, 'H10')}."
    )


def _answers(ledger: pd.DataFrame, names: dict[str, str]) -> str:
    return "; ".join(f"{text}: {_answer(ledger, name)}" for name, text in names.items())


def _answer(ledger: pd.DataFrame, name: str) -> str:
    """As `higher (+0.31 points, +0.20 to +0.42, n = 30)`."""
    row = ledger.set_index("id").loc[name]
    effect = row["effect (95 % interval)"].replace(" (", ", ").replace(")", "")
    return f"{state(row)} ({effect}, n = {row['n']})"


def verdict_table(ledger: pd.DataFrame) -> pd.DataFrame:
    """How many claims came to each verdict, the published report's and ours."""
    owner = (ledger["section"] == "ours").map({True: "ours", False: "published sentences"})
    counts = pd.crosstab(ledger["verdict"], owner)[["published sentences", "ours"]]
    counts = counts.reindex([verdict for verdict in VERDICTS if verdict in counts.index])
    return counts.reset_index()


def prediction_table(ledger: pd.DataFrame) -> pd.DataFrame:
    """How our predictions fared, one per test, by whether the runs decided the claim."""
    own = ledger[(ledger["like"] == "") & (ledger["outcome"] != "–")]
    left = (own["verdict"] == "INCONCLUSIVE").map({True: "claim left open", False: "claim decided"})
    counts = pd.crosstab(own["outcome"].rename("prediction"), left)
    return counts[["claim decided", "claim left open"]].reset_index()


def findings(ledger: pd.DataFrame, *names: str) -> pd.DataFrame:
    """What these rows ask, what was found, its effect with the 95 % interval, and from how many."""
    rows = ledger.set_index("id").loc[[*names]]
    return pd.DataFrame(
        {
            "id": rows.index,
            "hypothesis": rows["claim"].to_list(),
            "finding": [state(row) for _, row in rows.iterrows()],
            "effect (95 % interval)": rows["effect (95 % interval)"].to_list(),
            "n": rows["n"].to_list(),
        }
    )


def state(row: pd.Series) -> str:
    """What a row's first arm is against the second: higher, lower, equal, or not resolved.

    "possibly negligible" where the interval reaches into the margin; "but within" it where a
    difference is certain and the margin holds it.
    """
    if row["verdict"] == "INCONCLUSIVE":
        return "not resolved"
    side = "higher" if row["mean"] > 0 else "lower"
    least = row["low"] if row["mean"] > 0 else -row["high"]  # of the difference, by its interval
    margin = f"within {row['margin']:g} {row['unit']}"
    if row["inside"]:
        return f"{side}, but {margin}" if least > 0 else f"equal {margin}"
    return f"{side}, possibly negligible" if least < row["margin"] else side


# Counts -----------------------------------------------------------------------------------------


def counts(ledger: pd.DataFrame) -> str:
    """How many claims and tests there are, which verdicts, and how our predictions fared.

    Several sentences may share a test; a prediction counts once.
    """
    ours = (ledger["section"] == "ours").sum()
    sizes = ledger["verdict"].value_counts()
    found = [f"{sizes[verdict]} {verdict}" for verdict in VERDICTS if verdict in sizes]
    own, argued = ledger["like"] == "", ledger["unit"] == "–"
    return (
        f"{len(ledger) - ours} claims of the published report and {ours} of ours, put to "
        f"{(own & ~argued).sum()} tests and {argued.sum()} arguments: "
        f"{', '.join(found)}. {_second_look(ledger)} {_predictions(ledger[own])}"
    )


def _second_look(ledger: pd.DataFrame) -> str:
    again, left = ledger["look"] == 2, ledger["verdict"] == "INCONCLUSIVE"
    return (
        f"{again.sum()} claims were INCONCLUSIVE after {len(FIRST)} seeds and got a second look, "
        f"with {len(LAST)}, which decided {(again & ~left).sum()} of them."
    )


def _predictions(ledger: pd.DataFrame) -> str:
    held, failed = (ledger["outcome"] == outcome for outcome in ("held", "failed"))
    left = (failed & (ledger["verdict"] == "INCONCLUSIVE")).sum()
    return (
        f"Of the ledger's {(held | failed).sum()} predictions that are decided, {held.sum()} held "
        f"and {failed.sum()} failed, {left} of these on a claim left INCONCLUSIVE."
    )


# Claim by claim ---------------------------------------------------------------------------------


def decided(ledger: pd.DataFrame) -> str:
    """The claims as Markdown, one list per verdict, each linked to what decides it.

    Claims that share a test and its verdict share an item.
    """
    lists = [_list(verdict, ledger[ledger["verdict"] == verdict]) for verdict in VERDICTS]
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
