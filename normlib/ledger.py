"""The verdict on every claim, and the tables that say how far to trust it."""

import numpy as np
import pandas as pd

from normlib import findings, inference, robustness
from normlib.arms import PILOT_SEEDS
from normlib.claims import CLAIMS, SEEDS, Claim
from normlib.inference import Finding
from normlib.stats import minus

Records = dict  # of records by (arm, seed)


def ledger(records: Records) -> pd.DataFrame:
    """A row a claim: verdict, effect with 95 % interval, adjusted p, and whether we foresaw it.

    A claim is "pending", without an effect, until it has a record of every arm and seed: results
    that are looked at early are stopped early, and a growing archive changes no row before that.
    p is Holm's, over the claim's whole family, pending claims included; that of an equality is its
    equivalence test's.
    """
    found = {name: _find(claim, records) for name, claim in CLAIMS.items()}
    adjusted = _adjusted(found)
    return pd.DataFrame(
        [_row(claim, found[name], adjusted.loc[name], records) for name, claim in CLAIMS.items()]
    )


def _find(claim: Claim, records: Records) -> Finding | None:
    """The claim's finding, or None for want of arms or of records."""
    whole = claim.arms and _seeds(claim, records) == len(SEEDS)
    return findings.find(claim, records) if whole else None


def _seeds(claim: Claim, records: Records) -> int:
    try:
        return len(findings.complete(claim, records))
    except KeyError:  # its learning rates are not chosen yet
        return 0


def _adjusted(found: dict[str, Finding | None]) -> pd.DataFrame:
    """Both p-values by claim, adjusted over the families; a claim like another has the other's."""
    own = {name: f for name, f in found.items() if not CLAIMS[name].like}
    pairs = {name: (f.p, f.tost) if f else (np.nan, np.nan) for name, f in own.items()}
    frame = pd.DataFrame.from_dict(pairs, orient="index", columns=["p", "tost"])
    families = [CLAIMS[name].family for name in own]
    frame = frame.groupby(families)[["p", "tost"]].transform(inference.holm)
    wanted = [claim.like or name for name, claim in CLAIMS.items()]
    return frame.loc[wanted].set_axis(list(CLAIMS))


def _row(claim: Claim, found: Finding | None, adjusted: pd.Series, records: Records) -> dict:
    verdict = claim.verdict or "pending"
    if found:
        verdict = inference.verdict(claim.claim, found, adjusted["p"], adjusted["tost"])
    p = adjusted["tost" if claim.claim == "equal" else "p"]
    return {
        "id": claim.id,
        "section": claim.section,
        "claim": f"“{claim.quote}”" if claim.quote else claim.hypothesis,
        "verdict": verdict,
        "effect (95 % interval)": _effect(claim, found, records),
        "n": found.n if found else "–",
        "adjusted p": f"{p:.2g}" if found else "–",
        "prediction": claim.prediction or "–",
        "outcome": _outcome(claim.prediction, verdict),
        "decided by": claim.notebook,
    }


def _effect(claim: Claim, found: Finding | None, records: Records) -> str:
    if not found:
        return "–"
    unit = findings.unit(claim)
    digits = 4 if unit == "nats" else 2
    mean, low, high = (minus(f"{v:+.{digits}f}") for v in (found.mean, found.low, found.high))
    lost = sum(findings.diverged(claim, records, seed) for seed in SEEDS)
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

    At Holm's worst case, 0.05 over the size of the family, and for a difference as large as the
    margin; an equality is taken to be exact. The sd of three seeds is rough: the true one lies
    between half and six times it (95 % interval).
    """
    ready = [c for c in _planned() if len(findings.complete(c, records, seeds)) == len(seeds)]
    return pd.DataFrame([_size(claim, records, seeds) for claim in ready])


def _family(name: str) -> list[Claim]:
    """The claims over which Holm's adjustment of this family goes."""
    return [claim for claim in CLAIMS.values() if claim.family == name and not claim.like]


def _planned() -> list[Claim]:
    return _family("confirmatory") + _family("equivalence")


def _size(claim: Claim, records: Records, seeds: tuple[int, ...]) -> dict:
    values = findings.samples(claim, records, seeds)
    sd, alpha = values.std(), inference.ALPHA / len(_family(claim.family))
    kind = "equivalence" if claim.claim == "equal" else "difference"
    need = getattr(inference, f"seeds_for_{kind}")
    needed = need(sd, claim.size, alpha)
    return {
        "id": claim.id,
        "unit": findings.unit(claim),
        "margin": claim.size,
        "mean": values.mean(),
        "sd": sd,
        "seeds needed": needed,
        "seeds needed, unadjusted": need(sd, claim.size, inference.ALPHA),
        "kept within 30 and 60": inference.affordable(needed),
        "detectable difference": inference.detectable(sd, len(SEEDS), alpha),
        "power of equivalence": inference.tost_power(sd, len(SEEDS), claim.size, alpha),
    }


def robustness_table(records: Records, labels: np.ndarray) -> pd.DataFrame:
    """A row a confirmatory claim or equality: the same runs without Student's assumptions.

    `labels` are the test images' classes. All p are unadjusted and two-sided, all intervals 95 %;
    "seeds and images" asks for a plain difference of test accuracies, Welch's p forgets the pairs.
    """
    ready = [claim for claim in _planned() if _find(claim, records)]
    return pd.DataFrame([_robustness(claim, records, labels) for claim in ready])


def _robustness(claim: Claim, records: Records, labels: np.ndarray) -> dict:
    values = findings.samples(claim, records).to_numpy()
    share, low, high = robustness.superiority(values)
    plain = claim.statistic == "difference"
    welch = inference.welch(*findings.columns(claim, records)).p if plain else np.nan
    images = plain and claim.metric == "test_accuracy"
    return {
        "id": claim.id,
        "t": inference.mean(values).p,
        "sign flips": robustness.sign_flip(values),
        "Wilcoxon": robustness.signed_ranks(values),
        "Welch": welch,
        "BCa interval": _interval(*robustness.bca(values)),
        "seeds and images": _over_images(claim, records, labels) if images else "–",
        "P(A > B)": f"{share:.2f} ({low:.2f} to {high:.2f})",
    }


def _interval(low: float, high: float) -> str:
    return minus(f"{low:+.3f} to {high:+.3f}")


def _over_images(claim: Claim, records: Records, labels: np.ndarray) -> str:
    sound = [s for s in SEEDS if not findings.diverged(claim, records, s)]
    a, b = (
        np.array([records[arm, s].predictions == labels for s in sound], float)
        for arm in claim.settings()
    )
    return _interval(*robustness.two_way(100 * (a - b)))
