"""The lottery's shares, against all draws one by one."""

import json
from itertools import combinations, product

import numpy as np
import pytest
from made_runs import noise, runs

from report.study import lottery_game, replication_lottery
from report.study.arms import REPORTED
from report.study.replication_lottery import MODES


def hits(runs_per_mode):
    """Small accuracies, so that ties are many."""
    return np.random.default_rng(5).integers(8800, 8806, (len(MODES), runs_per_mode)).tolist()


@pytest.mark.parametrize("runs_per_mode, n", [(4, 1), (4, 3), (3, 2), (3, 3)])
def test_shares_are_those_of_all_draws(runs_per_mode, n):
    found = hits(runs_per_mode)
    sums = [[sum(some) for some in combinations(values, n)] for values in found]
    draws = list(product(*sums))
    held = [
        np.mean([all(draw[a] > draw[b] for a, b in sentence["higher"]) for draw in draws])
        for sentence in lottery_game.game(made(found))["sentences"]
    ]
    assert replication_lottery.shares_of_draws(found, n) == pytest.approx(held)


def made(found):
    values = {mode: np.array(values) / 10_000 for mode, values in zip(MODES, found, strict=True)}
    return Records(runs(range(200, 200 + len(found[0])), **values))


class Records(dict):
    """Runs of a few seeds; those of the others have diverged."""

    def __missing__(self, key):
        return Diverged


class Diverged:
    diverged = 0


def test_the_game_has_runs_sentences_and_shares_ready_for_json():
    accuracies = {mode: noise(i).round(4) for i, mode in enumerate(MODES)}
    game = json.loads(json.dumps(lottery_game.game(runs(**accuracies))))
    assert [len(mode["runs"]) for mode in game["modes"]] == [30] * 6
    assert game["modes"][0]["runs"] == [round(10_000 * a) for a in accuracies["none"][:30]]
    assert [mode["published"] for mode in game["modes"]] == [
        round(100 * value) for value in REPORTED.values()
    ]
    assert len(game["sentences"]) == 1 + len(replication_lottery.compared())
    published = [mode["published"] for mode in game["modes"]]
    for sentence in game["sentences"]:  # the published runs say what the published report says
        assert all(published[a] > published[b] for a, b in sentence["higher"])
        assert set(sentence["shares"]) == {"1", "3", "10", "30"}
        assert sentence["shares"]["30"] in (0, 1)  # all runs there are
