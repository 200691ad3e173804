"""What the ledger comes to, in sentences that follow from its verdicts."""

import pandas as pd

from report.study.claims import trust, verdicts
from report.study.claims.book import FIRST

SAME = "the same within the margin"
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


def state(row: pd.Series) -> str:
    """Of a row's first arm against the second: higher, lower, SAME, not told apart, or pending."""
    if row["verdict"] in ("pending", "INCONCLUSIVE"):
        return "pending" if row["verdict"] == "pending" else "not told apart"
    if row["inside"]:
        return SAME
    return "higher" if row["mean"] > 0 else "lower"


def which(book: pd.DataFrame) -> str:
    """Which normalization is better here, and when: each norm against none."""
    lines = [
        f"- {what}: {_list(book, dict(zip(ids, NORMS, strict=True)))}."
        for what, ids in WHICH.items()
    ]
    lead = "**Which normalization is better here, and when.** Compared to no normalization:"
    return "\n".join([lead, "", *lines])


def why(book: pd.DataFrame) -> str:
    """Whether LN is better than BN here, and what the runs say of two reasons why."""
    return (
        "**Whether LN is better than BN, and why.** LN compared to BN:\n\n"
        f"- Final test accuracy: {_list(book, RIVALS)}.\n"
        "- Small minibatches, a possible reason: 4 compared to 100, one epoch, learning rate in "
        "proportion, norms after the convolution. If they hurt BN, both of these would be lower. "
        f"BN's lead over LN: {_said(book, 'H11')}; BN's lead over no normalization: "
        f"{_said(book, 'C20b')}.\n"
        "- Large initial weights, a possible reason: the published N(0, 0.1²) compared to He's. If "
        "LN's use is to repair them, this would be higher. What LN on the hidden layer gains over "
        f"no normalization: {_said(book, 'H10')}."
    )


def _list(book: pd.DataFrame, names: dict[str, str]) -> str:
    return "; ".join(f"{text}: {_said(book, name)}" for name, text in names.items())


def _said(book: pd.DataFrame, name: str) -> str:
    """As `higher (+0.31 points, +0.20 to +0.42, n = 30)`."""
    row = book.set_index("id").loc[name]
    effect = row["effect (95 % interval)"].replace(" (", ", ").replace(")", "")
    return state(row) + ("" if row["verdict"] == "pending" else f" ({effect}, n = {row['n']})")


def limits(records: dict) -> str:
    """What size of difference in test accuracy these runs cannot be relied on to see."""
    found = trust.sizes(records, FIRST)
    whole = len(found) == len(verdicts.planned(*verdicts.FAMILIES[:2]))
    table, of = (found, "these runs") if whole else (trust.sizes(records), "the pilot")
    seen = table[table["unit"] == "points"].filter(like="detectable difference")
    ranges = [f"{seen[c].min():.2f} to {seen[c].max():.2f} points ({c[-6:]})" for c in seen]
    return (
        f"If the differences spread as in {of}, the smallest that is found 4 times in 5 is, by the "
        f"comparison, {', '.join(ranges)}. A smaller one may well be there and not be seen."
    )
