"""The verdict on every claim, and the tables that say how far to trust it."""

import numpy as np
import pandas as pd

from normlib import findings, inference, robustness
from normlib.arms import PILOT_SEEDS
from normlib.claims import CLAIMS, FIRST, LOOKS, Claim
from normlib.inference import Finding
from normlib.stats import minus

Records = dict  # of records by (arm, seed)
Seeds = tuple[int, ...]
FAMILIES = ("confirmatory", "equivalence", "learning rate")


def ledger(records: Records) -> pd.DataFrame:
    """A row a claim: verdict, effect with 95 % interval, adjusted p, and whether we foresaw it.

    A claim is looked at after the first 30 seeds and, only if it is INCONCLUSIVE then, after 60;
    `n` says after which. It is "pending" until every arm has a record of every seed of the first
    look, and stays INCONCLUSIVE until they have those of the second: seeds beyond a look never
    enter, and a growing archive changes no row in between. The interval is that of one look; p is
    adjusted over the looks, then by Holm over the claim's whole family at that look, claims without
    their runs included; that of an equality is its equivalence test's.
    """
    first, second = (_look(records, seeds) for seeds in LOOKS)
    more = (first["verdict"] == "INCONCLUSIVE") & (second["verdict"] != "pending")
    return pd.concat([first[~more], second[more]]).sort_index()


def inconclusive(records: Records) -> list[str]:
    """The claims to be put down in the book for a second look: inconclusive at the first.

    Those with a family of their own: confirmatory, equivalence, learning rate.
    """
    first = _look(records, FIRST).set_index("id")["verdict"]
    return [claim.id for claim in _planned(*FAMILIES) if first[claim.id] == "INCONCLUSIVE"]


def _look(records: Records, seeds: Seeds) -> pd.DataFrame:
    """The ledger as these seeds alone would have it."""
    found = {name: _find(claim, records, seeds) for name, claim in CLAIMS.items()}
    adjusted = _adjusted(found)
    rows = [_row(c, found[name], adjusted.loc[name], records, seeds) for name, c in CLAIMS.items()]
    return pd.DataFrame(rows)


def _find(claim: Claim, records: Records, seeds: Seeds) -> Finding | None:
    """The claim's finding, or None for want of arms or of records."""
    whole = claim.arms and _complete(claim, records, seeds) == list(seeds)
    return findings.find(claim, records, seeds) if whole else None


def _complete(claim: Claim, records: Records, seeds: Seeds) -> list[int]:
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
    return {
        "id": claim.id,
        "section": claim.section,
        "claim": f"“{claim.quote}”" if claim.quote else claim.hypothesis,
        "verdict": verdict,
        "effect (95 % interval)": _effect(claim, found, records, seeds),
        "n": found.n if found else "–",
        "look": 1 + LOOKS.index(seeds) if found else 0,
        "adjusted p": f"{p:.2g}" if found else "–",
        "prediction": claim.prediction or "–",
        "outcome": _outcome(claim.prediction, verdict),
        "decided by": claim.notebook,
    }


def _effect(claim: Claim, found: Finding | None, records: Records, seeds: Seeds) -> str:
    if not found:
        return "–"
    unit = findings.unit(claim)
    digits = 4 if unit == "nats" else 2
    mean, low, high = (minus(f"{v:+.{digits}f}") for v in (found.mean, found.low, found.high))
    lost = sum(findings.diverged(claim, records, seed) for seed in seeds)
    note = f"; {lost} diverged" if lost else ""
    return f"{mean} {unit} ({low} to {high}){note}"


def _outcome(prediction: str, verdict: str) -> str:
    if not prediction:
        return "–"
    if verdict == "pending":
        return "pending"
    return "held" if verdict == prediction else "failed"


def sizes(records: Records, seeds: tuple[int, ...] = PILOT_SEEDS) -> pd.DataFrame:
    """A row a confirmatory claim or equality: sd over these seeds, seeds needed, detectable effect.

    At the level of one look in Holm's worst case, 0.05 / 2 over the size of the family, and for a
    difference as large as the margin; an equality is taken to be exact. The sd of three seeds is
    rough: the true one lies between half and six times it (95 % interval).
    """
    ready = [c for c in _planned(*FAMILIES[:2]) if _complete(c, records, seeds) == list(seeds)]
    return pd.DataFrame([_size(claim, records, seeds) for claim in ready])


def _family(name: str) -> list[Claim]:
    """The claims over which Holm's adjustment of this family goes."""
    return [claim for claim in CLAIMS.values() if claim.family == name and not claim.like]


def _planned(*families: str) -> list[Claim]:
    return [claim for name in families for claim in _family(name)]


def _size(claim: Claim, records: Records, seeds: Seeds) -> dict:
    values = findings.samples(claim, records, seeds)
    sd, alpha = values.std(), inference.ALPHA / len(LOOKS) / len(_family(claim.family))
    kind = "equivalence" if claim.claim == "equal" else "difference"
    need = getattr(inference, f"seeds_for_{kind}")
    return {
        "id": claim.id,
        "unit": findings.unit(claim),
        "margin": claim.size,
        "mean": values.mean(),
        "sd": sd,
        "seeds needed": need(sd, claim.size, alpha),
        "seeds needed, unadjusted": need(sd, claim.size, inference.ALPHA),
    } | {
        f"{what}, n = {len(look)}": value
        for look in LOOKS
        for what, value in (
            ("detectable difference", inference.detectable(sd, len(look), alpha)),
            ("power of equivalence", inference.tost_power(sd, len(look), claim.size, alpha)),
        )
    }


def robustness_table(records: Records, labels: np.ndarray) -> pd.DataFrame:
    """A row a confirmatory claim or equality: the same runs without Student's assumptions.

    `labels` are the test images' classes. All p are unadjusted and two-sided, all intervals 95 %;
    "seeds and images" asks for a plain difference of test accuracies, Welch's p forgets the pairs.
    """
    looks = ledger(records).set_index("id")["look"]
    ready = [claim for claim in _planned(*FAMILIES[:2]) if looks[claim.id]]
    return pd.DataFrame([_robustness(c, records, LOOKS[looks[c.id] - 1], labels) for c in ready])


def _robustness(claim: Claim, records: Records, seeds: Seeds, labels: np.ndarray) -> dict:
    values = findings.samples(claim, records, seeds).to_numpy()
    share, low, high = robustness.superiority(values)
    plain = claim.statistic == "difference"
    welch = inference.welch(*findings.columns(claim, records, seeds)).p if plain else np.nan
    images = plain and claim.metric == "test_accuracy"
    return {
        "id": claim.id,
        "t": inference.mean(values).p,
        "sign flips": robustness.sign_flip(values),
        "Wilcoxon": robustness.signed_ranks(values),
        "Welch": welch,
        "BCa interval": _interval(*robustness.bca(values)),
        "seeds and images": _over_images(claim, records, seeds, labels) if images else "–",
        "P(A > B)": f"{share:.2f} ({low:.2f} to {high:.2f})",
    }


def _interval(low: float, high: float) -> str:
    return minus(f"{low:+.3f} to {high:+.3f}")


def _over_images(claim: Claim, records: Records, seeds: Seeds, labels: np.ndarray) -> str:
    sound = [s for s in seeds if not findings.diverged(claim, records, s)]
    a, b = (
        np.array([records[arm, s].predictions == labels for s in sound], float)
        for arm in claim.settings()
    )
    return _interval(*robustness.two_way(100 * (a - b)))
