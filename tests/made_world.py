"""Made runs of every arm that the claims name, with every seed: all that the ledger may ask for."""

import dataclasses

from made_runs import made, noise, runs

from report.study.claims.book import ARMS, LAST, RATES


def whole(**columns):
    """Records by (arm, seed), as `made_runs.runs` has them; noise in the arms that are not given.

    The arms at their best learning rates are noise too, but where they are among the given ones.
    """
    given = {name: noise(100 + number) for number, name in enumerate(ARMS)} | columns
    return _at_best_rates() | runs(LAST, **given)


def _at_best_rates():
    rows = [
        dataclasses.replace(
            made(name, seed, accuracy),
            arm=dataclasses.replace(ARMS[name], learning_rate=rate),
        )
        for number, (name, rate) in enumerate(RATES["chosen"].items())
        for seed, accuracy in zip(LAST, noise(200 + number), strict=True)
    ]
    return {r.key: r for r in rows}
