"""The ledger: the verdict on every claim, what it rests on, and whether we foresaw it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from report.study import statistics
from report.study.claims import findings
from report.study.claims.book import CLAIMS, LOOKS, SECOND_LOOK, Claim
from report.study.claims.findings import Records
from report.study.comparisons import estimate, minus
from report.study.statistics import Finding

TESTS = ["p", "tost", "outside"]  # of a finding
FEWEST = 4  # seeds that every statistic can make an interval of


@dataclass(frozen=True)
class Seen:
    """What the runs of a look say of a claim, the first look being 1, and none 0.

    `finding` is that of the seeds that have a value, None if they are too few; `diverged` counts
    the seeds with a run that diverged; `whole` is whether every seed has a value.
    """

    look: int = 0
    finding: Finding | None = None
    diverged: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Decision:
    """A verdict, what was seen, and the adjusted p of the test that decided.

    `inside` is whether the difference was shown to lie inside the margin.
    """

    verdict: str
    seen: Seen = Seen()
    p: float = np.nan
    inside: bool = False


def ledger(records: Records) -> pd.DataFrame:
    """One row per claim: verdict, effect with 95 % interval, adjusted p, and whether we foresaw it.

    A claim is looked at after the first 30 seeds and, if it is INCONCLUSIVE then and its arms are
    among those of the book's second look, after 60; `look` says which of them decided, and seeds
    beyond it never enter. The interval is that of one look; p is adjusted over the looks, then by
    Holm over the claim's whole family, those decided at the first look with their p of then; it is
    that of the test that decided. Each of the three tests, of a difference, of one inside the
    margin and of one outside, has a Holm of its own: together they bound the wrong verdicts of a
    family at 15 %. Raises `findings.MissingRuns` if a look lacks runs.
    """
    tested = [claim for claim in CLAIMS.values() if claim.arms]
    seen = _look(1, tested, records)
    first = _decide(tested, seen)
    again = [claim for claim in tested if _is_left_open(claim, first[claim.id])]
    second = _decide(again, seen | _look(2, again, records))
    argued = {claim.id: Decision(claim.verdict) for claim in CLAIMS.values() if not claim.arms}
    decisions = argued | first | second
    return pd.DataFrame([_row(claim, decisions[name]) for name, claim in CLAIMS.items()])


def _look(number: int, claims: list[Claim], records: Records) -> dict[str, Seen]:
    seeds = LOOKS[number - 1]
    findings.require(claims, records, seeds)
    return {claim.id: _see(claim, records, number) for claim in claims}


def _see(claim: Claim, records: Records, look: int) -> Seen:
    seeds = LOOKS[look - 1]
    usable = findings.usable(claim, records, seeds)
    found = findings.find(claim, records, usable) if len(usable) >= FEWEST else None
    lost = sum(findings.diverged(claim, records, seed) for seed in seeds)
    return Seen(look, found, lost, len(usable) == len(seeds))


def _is_left_open(claim: Claim, first: Decision) -> bool:
    """Whether a second look may change the claim: not if a diverged run left it INCONCLUSIVE."""
    if first.verdict != "INCONCLUSIVE" or not first.seen.whole:
        return False
    seeded = {arm for name in SECOND_LOOK for arm in CLAIMS[name].settings()}
    return seeded.issuperset(claim.settings())


def _decide(claims: Iterable[Claim], seen: dict[str, Seen]) -> dict[str, Decision]:
    """The decision on each of these claims, among all that were seen."""
    adjusted = _adjusted(seen)
    return {c.id: _decision(c, seen[c.id], *adjusted.loc[c.like or c.id]) for c in claims}


def _adjusted(seen: dict[str, Seen]) -> pd.DataFrame:
    """All p, by claim with a test of its own, adjusted over the looks and the families."""
    own = {
        name: s.finding if s.whole else None for name, s in seen.items() if not CLAIMS[name].like
    }
    found = {n: [getattr(finding, p, np.nan) for p in TESTS] for n, finding in own.items()}
    frame = pd.DataFrame.from_dict(found, orient="index", columns=TESTS)
    families = [CLAIMS[name].family for name in own]
    return frame.groupby(families).transform(statistics.holm, looks=len(LOOKS))


def _decision(claim: Claim, seen: Seen, p: float, tost: float, outside: float) -> Decision:
    """The verdict by these p; INCONCLUSIVE if a seed has no value, having diverged."""
    if not seen.whole:
        return Decision("INCONCLUSIVE", seen)
    inside = bool(tost <= statistics.ALPHA)
    of_equality = outside if outside <= statistics.ALPHA else tost
    decisive = tost if inside else of_equality if claim.claim in ("equal", "unequal") else p
    verdict = statistics.verdict(claim.claim, seen.finding, p, tost, outside)
    return Decision(verdict, seen, decisive, inside)


def _row(claim: Claim, decision: Decision) -> dict:
    found = decision.seen.finding
    return {
        "id": claim.id,
        "section": claim.section,
        "claim": f"“{claim.quote}”" if claim.quote else claim.hypothesis,
        "what is tested": claim.hypothesis if claim.quote else "",
        "like": claim.like,
        "verdict": decision.verdict,
        "effect (95 % interval)": _effect(claim, decision.seen) if found else "–",
        "n": found.n if found else "–",
        "adjusted p": "–" if np.isnan(decision.p) else f"{decision.p:.2g}",
        "prediction": claim.prediction or "–",
        "outcome": _outcome(claim, decision.verdict),
        "first verdict": claim.amendment.first if claim.amendment else "",
        "amendment": f"{claim.amendment.date}: {claim.amendment.reason}" if claim.amendment else "",
        "look": decision.seen.look,
        **{end: getattr(found, end, np.nan) for end in ("mean", "low", "high")},
        "unit": findings.unit(claim) if claim.arms else "–",
        "margin": claim.size,
        "inside": decision.inside,
        "decided by": claim.notebook,
        "reason": claim.reason,
    }


def _effect(claim: Claim, seen: Seen) -> str:
    found, unit = seen.finding, findings.unit(claim)
    digits = 4 if unit == "nats" else 2
    over = minus(f" over {claim.over:g}") if claim.over else ""
    text = estimate(found, f" {unit}{over}", digits)
    return text + (f"; {seen.diverged} diverged" if seen.diverged else "")


def _outcome(claim: Claim, verdict: str) -> str:
    """Whether our prediction held, if we made one of what is tested."""
    if not claim.prediction or not claim.arms:
        return "–"
    return "held" if verdict == claim.prediction else "failed"
