"""Whether a finding hangs on Student's assumptions: other tests and intervals of the same runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest, bootstrap, permutation_test, wilcoxon

from report.study import statistics
from report.study.claims import book, findings
from report.study.claims.book import LOOKS, Claim
from report.study.claims.findings import Records, Seeds
from report.study.comparisons import between

RESAMPLES = 9999
CHUNK = 250  # replicates at once: 20 MB for 10 000 test images


def sign_flip(differences: Sequence[float]) -> float:
    """The two-sided p of a mean of 0: how often random signs give a mean as far from it."""
    test = permutation_test(
        (differences,), np.mean, permutation_type="samples", vectorized=True,
        n_resamples=RESAMPLES, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(test.pvalue)


def signed_ranks(differences: Sequence[float]) -> float:
    """The two-sided p of Wilcoxon's test: of differences symmetric about 0."""
    return float(wilcoxon(differences).pvalue)


def bca(differences: Sequence[float]) -> tuple[float, float]:
    """The 95 % BCa bootstrap interval of the mean. Source: Efron 1987."""
    found = bootstrap((differences,), np.mean, n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    return tuple(map(float, found.confidence_interval))


def two_way(differences: np.ndarray, resamples: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the mean over other seeds and other test images alike.

    differences: (seeds, images), correct of one arm less correct of the other. Both are drawn
    again with replacement, percentiles of the replicates' means. It errs on the wide side. Source:
    Owen 2007, the pigeonhole bootstrap.
    """
    rng, (seeds, images) = np.random.default_rng(0), differences.shape
    means = [_replicates(differences, rng, CHUNK) for _ in range(resamples // CHUNK)]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5)) / (seeds * images)
    return float(low), float(high)


def _replicates(differences: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    seeds, images = (rng.multinomial(n, np.full(n, 1 / n), size) for n in differences.shape)
    return np.sum((seeds @ differences) * images, axis=1)


def superiority(differences: Sequence[float]) -> tuple[float, float, float]:
    """P(A > B), the share of seeds with a difference above 0, and its 95 % interval (Wilson's)."""
    differences = np.asarray(differences)
    test = binomtest(int((differences > 0).sum()), len(differences))
    low, high = test.proportion_ci(0.95, method="wilson")
    return test.statistic, float(low), float(high)


def table(ledger: pd.DataFrame, records: Records, labels: np.ndarray) -> pd.DataFrame:
    """One row per hypothesis or equivalence: the runs that decide it in the ledger, retested.

    `labels` are the test images' classes. All p are unadjusted and two-sided, all intervals 95 %;
    "seeds and images" asks for a plain difference of test accuracies, Welch's p forgets the pairs.
    """
    looks = ledger.set_index("id")["look"]
    claims = book.hypotheses_and_equivalences()
    return pd.DataFrame([_row(c, records, LOOKS[looks[c.id] - 1], labels) for c in claims])


def _row(claim: Claim, records: Records, seeds: Seeds, labels: np.ndarray) -> dict:
    values = findings.samples(claim, records, seeds).to_numpy()
    share, low, high = superiority(values)
    plain = claim.statistic == "difference"
    welch = statistics.welch(*findings.columns(claim, records, seeds)).p if plain else np.nan
    images = plain and claim.metric == "test_accuracy"
    digits = 4 if findings.unit(claim) == "nats" else 2
    return {
        "id": claim.id,
        "t": statistics.student(values).p,
        "sign flips": sign_flip(values),
        "Wilcoxon": signed_ranks(values),
        "Welch": welch,
        "BCa interval": between(*bca(values), digits),
        "seeds and images": _over_images(claim, records, seeds, labels) if images else "–",
        "P(A > B)": f"{share:.2f} ({low:.2f} to {high:.2f})",
    }


def _over_images(claim: Claim, records: Records, seeds: Seeds, labels: np.ndarray) -> str:
    sound = [s for s in seeds if not findings.diverged(claim, records, s)]
    a, b = (
        np.array([records[arm, s].predictions == labels for s in sound], float)
        for arm in claim.settings()
    )
    return between(*two_way(100 * (a - b)))
