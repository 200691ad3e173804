"""The replication lottery as a game: runs to draw from, sentences to check, and exact shares.

A draw takes n runs of each published mode, no run twice, and compares the modes' means. How often a
sentence holds over all possible draws follows without drawing: accuracies are whole numbers of
hundredths of a percent, so the sums that n of the runs can have are counted.
"""

from functools import reduce
from math import comb

import numpy as np

from report.study.arms import PUBLISHED
from report.study.claims.book import ARMS, Claim
from report.study.claims.findings import METRICS
from report.study.replication_lottery import LADDER, MODES, compared, seeds

SIZES = (1, 3, 10, 30)  # seeds per mode
NAMES = ("no normalization", "custom BN", "TensorFlow's BN", "custom WN", "custom LN",
         "TensorFlow's LN")  # fmt: skip
ORDER = "The six modes come in the published order."

Hits = list[list[int]]  # hundredths of a percent: the final test accuracies of each mode's runs


def game(records: dict) -> dict:
    """All that the game needs, ready for JSON.

    Each sentence has the pairs of modes of which it says that the first scores higher, and its
    exact share for each number of seeds per mode.
    """
    found, published = hits(records), PUBLISHED.values()
    sizes = [n for n in SIZES if n <= len(found[0])]
    shares = {n: exact_shares(found, n) for n in sizes}
    texts = [
        ORDER,
        *(f"“{same[0].quote}” ({', '.join(c.id for c in same)})" for same in compared()),
    ]
    pairs = [
        [(b, a) for a, b in zip(LADDER.tolist(), LADDER[1:].tolist(), strict=False)],
        *(_pairs(same[0]) for same in compared()),
    ]
    return {
        "modes": [
            {"name": name, "published": round(100 * value), "runs": runs}
            for name, value, runs in zip(NAMES, published, found, strict=True)
        ],
        "sentences": [
            {"text": text, "higher": pairs[i], "shares": {n: round(shares[n][i], 6) for n in sizes}}
            for i, text in enumerate(texts)
        ],
    }


def hits(records: dict) -> Hits:
    """The accuracies from which the lottery draws, by published mode and seed."""
    score, sound = METRICS["test_accuracy"][0], seeds(records)
    return [[round(100 * score(records[ARMS[m], s])) for s in sound] for m in MODES]


def _pairs(claim: Claim) -> list[tuple[int, int]]:
    first, *others = (MODES.index(name) for name in claim.arms)
    return [(first, o) if claim.claim == "higher" else (o, first) for o in others]


def exact_shares(found: Hits, n: int) -> list[float]:
    """The shares of all draws in which the modes' order holds, and each sentence of `compared`."""
    sums = _sums(found, n)
    ladder = reduce(lambda below, one: one * _below(below), sums[LADDER[1:]], sums[LADDER[0]])
    shares = [ladder.sum()]
    for same in compared():
        first, *others = sums[[MODES.index(name) for name in same[0].arms]]
        if same[0].claim == "lower":  # is being the highest, seen from the other end
            first, others = first[::-1], [other[::-1] for other in others]
        shares.append((first * np.prod([_below(other) for other in others], axis=0)).sum())
    return [float(share) for share in shares]


def _sums(found: Hits, n: int) -> np.ndarray:
    """For each mode the probability of each sum that n of its runs may have, the lowest first."""
    least, most = min(map(min, found)), max(map(max, found))
    ways = np.zeros((len(found), n + 1, n * (most - least) + 1))
    ways[:, 0, 0] = 1
    for mode, runs in zip(ways, found, strict=True):
        for run in runs:
            mode[1:, run - least :] += mode[:-1, : mode.shape[1] - (run - least)]
    return ways[:, n] / comb(len(found[0]), n)


def _below(chances: np.ndarray) -> np.ndarray:
    """The probability of less than each sum."""
    return np.cumsum(chances) - chances
