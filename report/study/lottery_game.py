"""The replication lottery as a game: runs to draw from, sentences to check, and their shares."""

from report.study.arms import REPORTED
from report.study.claims.book import Claim
from report.study.replication_lottery import LADDER, MODES, compared, hits, shares_of_draws

SIZES = (1, 3, 10, 30)  # seeds per mode
NAMES = ("no normalization", "custom BN", "TensorFlow's BN", "custom WN", "custom LN",
         "TensorFlow's LN")  # fmt: skip
ORDER = "The six modes come in the published order."


def game(records: dict) -> dict:
    """All that the game needs, ready for JSON.

    Each sentence has the pairs of modes of which it says that the first scores higher, and its
    exact share for each number of seeds per mode.
    """
    found, published = hits(records), REPORTED.values()
    sizes = [n for n in SIZES if n <= len(found[0])]
    shares = {n: shares_of_draws(found, n) for n in sizes}
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


def _pairs(claim: Claim) -> list[tuple[int, int]]:
    first, *others = (MODES.index(name) for name in claim.arms)
    return [(first, o) if claim.claim == "higher" else (o, first) for o in others]
