"""Whether a finding hangs on Student's assumptions: other tests and intervals of the same runs."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, bootstrap, permutation_test, wilcoxon

RESAMPLES = 9999
CHUNK = 250  # replicates at once: 20 MB for 10 000 test images


def sign_flip(differences: Sequence[float], seed: int = 0) -> float:
    """The two-sided p of a mean of 0: how often random signs give a mean as far from it."""
    test = permutation_test(
        (differences,), np.mean, permutation_type="samples", vectorized=True,
        n_resamples=RESAMPLES, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(test.pvalue)


def signed_ranks(differences: Sequence[float]) -> float:
    """The two-sided p of Wilcoxon's test: of differences symmetric about 0."""
    return float(wilcoxon(differences).pvalue)


def bca(differences: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % BCa bootstrap interval of the mean. Source: Efron 1987."""
    found = bootstrap(
        (differences,), np.mean, n_resamples=RESAMPLES, rng=np.random.default_rng(seed)
    )
    return tuple(map(float, found.confidence_interval))


def two_way(differences: np.ndarray, seed: int = 0, resamples: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the mean over other seeds and other test images alike.

    differences: (seeds, images), correct of one arm less correct of the other. Both are drawn
    again with replacement, percentiles of the replicates' means. It errs on the wide side. Source:
    Owen 2007, the pigeonhole bootstrap.
    """
    rng, (seeds, images) = np.random.default_rng(seed), differences.shape
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
