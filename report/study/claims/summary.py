"""The ledger in tables: what was found, how many claims came to what, how predictions fared."""

import pandas as pd

from report.study.statistics import VERDICTS


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
            "finding": [in_words(row) for _, row in rows.iterrows()],
            "effect (95 % interval)": rows["effect (95 % interval)"].to_list(),
            "n": rows["n"].to_list(),
        }
    )


def in_words(row: pd.Series) -> str:
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
