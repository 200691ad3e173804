"""How far to trust the ledger: seeds needed beforehand, the same runs by other tests afterwards."""

import numpy as np
import pandas as pd

from report.study import statistics
from report.study.arms import PILOT_SEEDS
from report.study.claims import findings, robustness, verdicts
from report.study.claims.book import LOOKS, Claim
from report.study.claims.verdicts import FAMILIES, Records, Seeds
from report.study.comparisons import minus


def sizes(records: Records, seeds: tuple[int, ...] = PILOT_SEEDS) -> pd.DataFrame:
    """A row a confirmatory claim or equality: sd over these seeds, seeds needed, detectable effect.

    At the level of one look in Holm's worst case, 0.05 / 2 over the size of the family, and for a
    difference as large as the margin; an equality is taken to be exact. The sd of three seeds is
    rough: the true one lies between half and six times it (95 % interval).
    """
    ready = [
        c
        for c in verdicts.planned(*FAMILIES[:2])
        if verdicts.complete(c, records, seeds) == list(seeds)
    ]
    return pd.DataFrame([_size(claim, records, seeds) for claim in ready])


def _size(claim: Claim, records: Records, seeds: Seeds) -> dict:
    values = findings.samples(claim, records, seeds)
    sd, alpha = values.std(), statistics.ALPHA / len(LOOKS) / len(verdicts.planned(claim.family))
    kind = "equivalence" if claim.claim == "equal" else "difference"
    need = getattr(statistics, f"seeds_for_{kind}")
    return {
        "id": claim.id,
        "unit": findings.unit(claim),
        "margin": claim.size,
        "mean": values.mean(),
        "sd": sd,
        "seeds needed": need(sd, claim.size, alpha),
        "seeds needed, unadjusted": need(sd, claim.size, statistics.ALPHA),
    } | {
        f"{what}, n = {len(look)}": value
        for look in LOOKS
        for what, value in (
            ("detectable difference", statistics.detectable(sd, len(look), alpha)),
            ("power of equivalence", statistics.tost_power(sd, len(look), claim.size, alpha)),
        )
    }


def robustness_table(records: Records, labels: np.ndarray) -> pd.DataFrame:
    """A row a confirmatory claim or equality: the same runs without Student's assumptions.

    `labels` are the test images' classes. All p are unadjusted and two-sided, all intervals 95 %;
    "seeds and images" asks for a plain difference of test accuracies, Welch's p forgets the pairs.
    """
    looks = verdicts.ledger(records).set_index("id")["look"]
    ready = [claim for claim in verdicts.planned(*FAMILIES[:2]) if looks[claim.id]]
    return pd.DataFrame([_robustness(c, records, LOOKS[looks[c.id] - 1], labels) for c in ready])


def _robustness(claim: Claim, records: Records, seeds: Seeds, labels: np.ndarray) -> dict:
    values = findings.samples(claim, records, seeds).to_numpy()
    share, low, high = robustness.superiority(values)
    plain = claim.statistic == "difference"
    welch = statistics.welch(*findings.columns(claim, records, seeds)).p if plain else np.nan
    images = plain and claim.metric == "test_accuracy"
    digits = 4 if findings.unit(claim) == "nats" else 2
    return {
        "id": claim.id,
        "t": statistics.mean(values).p,
        "sign flips": robustness.sign_flip(values),
        "Wilcoxon": robustness.signed_ranks(values),
        "Welch": welch,
        "BCa interval": _interval(*robustness.bca(values), digits),
        "seeds and images": _over_images(claim, records, seeds, labels) if images else "–",
        "P(A > B)": f"{share:.2f} ({low:.2f} to {high:.2f})",
    }


def _interval(low: float, high: float, digits: int = 2) -> str:
    return minus(f"{low:+.{digits}f} to {high:+.{digits}f}")


def _over_images(claim: Claim, records: Records, seeds: Seeds, labels: np.ndarray) -> str:
    sound = [s for s in seeds if not findings.diverged(claim, records, s)]
    a, b = (
        np.array([records[arm, s].predictions == labels for s in sound], float)
        for arm in claim.settings()
    )
    return _interval(*robustness.two_way(100 * (a - b)))
