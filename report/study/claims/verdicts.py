"""The verdict on every claim. `trust.py` says how far to trust it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from report.study import statistics
from report.study.claims import findings
from report.study.claims.book import CLAIMS, FIRST, LAST, LOOKS, Claim
from report.study.comparisons import minus
from report.study.statistics import Finding

Records = dict  # of records by (arm, seed)
Seeds = tuple[int, ...]
FEWEST = 4  # seeds that every statistic can make an interval of
FAMILIES = ("confirmatory", "equivalence", "learning rate")


def ledger(records: Records) -> pd.DataFrame:
    """A row a claim: verdict, effect with 95 % interval, adjusted p, and whether we foresaw it.

    A claim is looked at after the first 30 seeds and, only if a second look may change what it is
    then, after 60; `look` says which of them decided. It is "pending" until every arm has a record
    of every seed of the first look, and stays INCONCLUSIVE until they have those of the second:
    seeds beyond a look never enter. The interval is that of one look; p is adjusted over the looks,
    then by Holm over the claim's whole family, claims without their runs included, and those
    decided at the first look with their p of then; it is that of the test that decided, and each
    of the two tests has a Holm of its own. A pending row has the estimate so far, to read and not
    to decide by.
    """
    before = _find_all(records, FIRST)
    first = _look(records, FIRST, before)
    again = _again(first, before)
    after = {name: found for name, found in _find_all(records, LAST).items() if name in again}
    second, more = _look(records, LAST, before | after), first["id"].isin(after)
    book = pd.concat([first[~more], second[more]]).sort_index()
    outcomes = map(_outcome, book["id"], book["verdict"], book["id"].isin(again - set(after)))
    book.insert(book.columns.get_loc("look"), "outcome", list(outcomes))
    return book


def inconclusive(records: Records) -> list[str]:
    """The claims to be put down in the book for a second look, which may change what they are.

    Those of a family with a second look, with a test of their own.
    """
    before = _find_all(records, FIRST)
    again = _again(_look(records, FIRST, before), before)
    return [claim.id for claim in planned(*FAMILIES) if claim.id in again]


def _again(first: pd.DataFrame, found: dict[str, Finding | None]) -> set[str]:
    """Those INCONCLUSIVE at the first look whose verdict more seeds may change.

    Ours, and published sentences that ask for no other arms; none that a diverged run leaves open.
    """
    names = first["id"][first["verdict"] == "INCONCLUSIVE"]
    left = [CLAIMS[name] for name in names if found[name]]
    seeded = {arm for claim in left if claim.family in FAMILIES for arm in claim.settings()}
    return {claim.id for claim in left if seeded.issuperset(claim.settings())}


def planned(*families: str) -> list[Claim]:
    """The claims of these families, over each of which a Holm's adjustment goes."""
    own = [claim for claim in CLAIMS.values() if not claim.like]
    return [claim for family in families for claim in own if claim.family == family]


def complete(claim: Claim, records: Records, seeds: Seeds) -> list[int]:
    """Those of the seeds that every arm of the claim has a record of, none if it has no arms."""
    try:
        return findings.complete(claim, records, seeds) if claim.arms else []
    except KeyError:  # its learning rates are not chosen yet
        return []


def _find_all(records: Records, seeds: Seeds) -> dict[str, Finding | None]:
    """What these seeds say of each claim that has their records; None if one is of no use to it."""
    whole = [c for c in CLAIMS.values() if complete(c, records, seeds) == list(seeds)]
    usable = {c.id: findings.usable(c, records, seeds) == list(seeds) for c in whole}
    return {c.id: findings.find(c, records, seeds) if usable[c.id] else None for c in whole}


def _find(claim: Claim, records: Records, seeds: Iterable[int]) -> Finding | None:
    usable = findings.usable(claim, records, seeds)
    return findings.find(claim, records, usable) if len(usable) >= FEWEST else None


def _look(records: Records, seeds: Seeds, found: dict[str, Finding | None]) -> pd.DataFrame:
    """The ledger as these findings would have it, but for the outcomes."""
    adjusted = _adjusted(found)
    rows = [_row(c, found, adjusted.loc[name], records, seeds) for name, c in CLAIMS.items()]
    return pd.DataFrame(rows)


def _adjusted(found: dict[str, Finding | None]) -> pd.DataFrame:
    """Both p by claim, adjusted over looks and families; a claim like another has the other's."""
    own = {name: found.get(name) for name, claim in CLAIMS.items() if not claim.like}
    pairs = {name: (f.p, f.tost) if f else (np.nan, np.nan) for name, f in own.items()}
    frame = pd.DataFrame.from_dict(pairs, orient="index", columns=["p", "tost"])
    families = [CLAIMS[name].family for name in own]
    frame = frame.groupby(families)[["p", "tost"]].transform(statistics.holm, looks=len(LOOKS))
    wanted = [claim.like or name for name, claim in CLAIMS.items()]
    return frame.loc[wanted].set_axis(list(CLAIMS))


def _row(claim: Claim, findings_of: dict, adjusted: pd.Series, records, seeds) -> dict:
    found = findings_of.get(claim.id)
    look = 1 + LOOKS.index(seeds) if claim.id in findings_of else 0
    verdict = _verdict(claim, found, adjusted) if look else claim.verdict
    inside = bool(found and adjusted["tost"] <= statistics.ALPHA)
    p = adjusted["tost" if inside or claim.claim in ("equal", "unequal") else "p"]
    shown = found or _find(claim, records, complete(claim, records, seeds))
    return {
        "id": claim.id,
        "section": claim.section,
        "claim": f"“{claim.quote}”" if claim.quote else claim.hypothesis,
        "what is tested": claim.hypothesis if claim.quote else "",
        "like": claim.like,
        "verdict": verdict or "pending",
        "effect (95 % interval)": _effect(claim, shown, records, seeds) if shown else "–",
        "n": shown.n if shown else "–",
        "adjusted p": f"{p:.2g}" if found else "–",
        "prediction": claim.prediction or "–",
        "look": look,
        **{end: getattr(shown, end, np.nan) for end in ("mean", "low", "high")},
        "unit": findings.unit(claim) if claim.arms else "–",
        "margin": claim.size,
        "inside": inside,
        "decided by": claim.notebook,
        "reason": claim.reason,
    }


def _verdict(claim: Claim, found: Finding | None, adjusted: pd.Series) -> str:
    """What the seeds of a look say; INCONCLUSIVE if any of them has no value, having diverged."""
    known = found and statistics.verdict(claim.claim, found, adjusted["p"], adjusted["tost"])
    return known or "INCONCLUSIVE"


def _effect(claim: Claim, found: Finding, records: Records, seeds: Seeds) -> str:
    unit, there = findings.unit(claim), complete(claim, records, seeds)
    digits = 4 if unit == "nats" else 2
    mean, low, high = (minus(f"{v:+.{digits}f}") for v in (found.mean, found.low, found.high))
    over = minus(f" over {claim.over:g}") if claim.over else ""
    lost = sum(findings.diverged(claim, records, seed) for seed in there)
    early = "" if len(there) == len(seeds) else "so far: "
    text = f"{early}{mean} {unit}{over} ({low} to {high})"
    return text + (f"; {lost} diverged" if lost else "")


def _outcome(name: str, verdict: str, again: bool) -> str:
    """Whether the prediction held; what a second look may still decide is pending."""
    predicted = CLAIMS[name].prediction
    if not predicted:
        return "–"
    if verdict == "pending" or again:
        return "pending"
    return "held" if verdict == predicted else "failed"
