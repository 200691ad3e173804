"""The verdict on every claim. `trust.py` says how far to trust it."""

import numpy as np
import pandas as pd

from normlib import findings, inference
from normlib.claims import CLAIMS, FIRST, LOOKS, Claim
from normlib.inference import Finding
from normlib.stats import minus

Records = dict  # of records by (arm, seed)
Seeds = tuple[int, ...]
FEWEST = 4  # seeds that every statistic can make an interval of
FAMILIES = ("confirmatory", "equivalence", "learning rate")


def ledger(records: Records) -> pd.DataFrame:
    """A row a claim: verdict, effect with 95 % interval, adjusted p, and whether we foresaw it.

    A claim is looked at after the first 30 seeds and, only if it is INCONCLUSIVE then, after 60;
    `n` says after which. It is "pending" until every arm has a record of every seed of the first
    look, and stays INCONCLUSIVE until they have those of the second: seeds beyond a look never
    enter. The interval is that of one look; p is adjusted over the looks, then by Holm over the
    claim's whole family at that look, claims without their runs included; that of an equality is
    its equivalence test's. A pending row has the estimate so far, to read and not to decide by.
    """
    first, second = (_look(records, seeds) for seeds in LOOKS)
    more = (first["verdict"] == "INCONCLUSIVE") & (second["verdict"] != "pending")
    return pd.concat([first[~more], second[more]]).sort_index()


def inconclusive(records: Records) -> list[str]:
    """The claims to be put down in the book for a second look: inconclusive at the first.

    Those with a family of their own: confirmatory, equivalence, learning rate.
    """
    first = _look(records, FIRST).set_index("id")["verdict"]
    return [claim.id for claim in planned(*FAMILIES) if first[claim.id] == "INCONCLUSIVE"]


def planned(*families: str) -> list[Claim]:
    """The claims of these families, over each of which a Holm's adjustment goes."""
    own = [claim for claim in CLAIMS.values() if not claim.like]
    return [claim for family in families for claim in own if claim.family == family]


def _look(records: Records, seeds: Seeds) -> pd.DataFrame:
    """The ledger as these seeds alone would have it."""
    found = {name: _find(claim, records, seeds) for name, claim in CLAIMS.items()}
    adjusted = _adjusted(found)
    rows = [_row(c, found[name], adjusted.loc[name], records, seeds) for name, c in CLAIMS.items()]
    return pd.DataFrame(rows)


def _find(claim: Claim, records: Records, seeds: Seeds) -> Finding | None:
    """The claim's finding, or None for want of arms or of records."""
    whole = claim.arms and complete(claim, records, seeds) == list(seeds)
    return findings.find(claim, records, seeds) if whole else None


def complete(claim: Claim, records: Records, seeds: Seeds) -> list[int]:
    """Those of the seeds that every arm of the claim has a record of, none if it has no arms."""
    try:
        return findings.complete(claim, records, seeds)
    except KeyError:  # its learning rates are not chosen yet
        return []


def _adjusted(found: dict[str, Finding | None]) -> pd.DataFrame:
    """Both p by claim, adjusted over looks and families; a claim like another has the other's."""
    own = {name: f for name, f in found.items() if not CLAIMS[name].like}
    pairs = {name: (f.p, f.tost) if f else (np.nan, np.nan) for name, f in own.items()}
    frame = pd.DataFrame.from_dict(pairs, orient="index", columns=["p", "tost"])
    families = [CLAIMS[name].family for name in own]
    frame = frame.groupby(families)[["p", "tost"]].transform(inference.holm, looks=len(LOOKS))
    wanted = [claim.like or name for name, claim in CLAIMS.items()]
    return frame.loc[wanted].set_axis(list(CLAIMS))


def _row(claim: Claim, found: Finding | None, adjusted: pd.Series, records, seeds) -> dict:
    verdict = claim.verdict or "pending"
    if found:
        verdict = inference.verdict(claim.claim, found, adjusted["p"], adjusted["tost"])
    p = adjusted["tost" if claim.claim == "equal" else "p"]
    shown = found or _so_far(claim, records, seeds)
    return {
        "id": claim.id,
        "section": claim.section,
        "claim": f"“{claim.quote}”" if claim.quote else claim.hypothesis,
        "verdict": verdict,
        "effect (95 % interval)": _effect(claim, shown, records, seeds) if shown else "–",
        "n": shown.n if shown else "–",
        "adjusted p": f"{p:.2g}" if found else "–",
        "prediction": claim.prediction or "–",
        "outcome": _outcome(claim.prediction, verdict),
        "look": 1 + LOOKS.index(seeds) if found else 0,
        "mean": shown.mean if shown else np.nan,
        "low": shown.low if shown else np.nan,
        "high": shown.high if shown else np.nan,
        "unit": findings.unit(claim) if claim.arms else "–",
        "margin": claim.size,
        "decided by": claim.notebook,
        "reason": claim.reason,
    }


def _so_far(claim: Claim, records: Records, seeds: Seeds) -> Finding | None:
    """What the seeds say that are there before the look; None while they are too few to say."""
    there = complete(claim, records, seeds) if claim.arms else []
    sound = [seed for seed in there if not findings.diverged(claim, records, seed)]
    return findings.find(claim, records, sound) if len(sound) >= FEWEST else None


def _effect(claim: Claim, found: Finding, records: Records, seeds: Seeds) -> str:
    unit, there = findings.unit(claim), complete(claim, records, seeds)
    digits = 4 if unit == "nats" else 2
    mean, low, high = (minus(f"{v:+.{digits}f}") for v in (found.mean, found.low, found.high))
    lost = sum(findings.diverged(claim, records, seed) for seed in there)
    early = "" if len(there) == len(seeds) else "so far: "
    return f"{early}{mean} {unit} ({low} to {high})" + (f"; {lost} diverged" if lost else "")


def _outcome(prediction: str, verdict: str) -> str:
    if not prediction:
        return "–"
    if verdict == "pending":
        return "pending"
    return "held" if verdict == prediction else "failed"
