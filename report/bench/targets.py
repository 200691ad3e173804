"""What the lab promises of the free arms, set before they were measured, and whether it holds."""

from math import floor

import numpy as np

from report.bench.contenders import FREE, PLAIN
from report.bench.parts import PRODUCTS
from report.bench.race import Groups, Result, fault

FASTER = {  # than the fastest peer, times, at least: one run on all cores, two on a thread each
    "BN": (2.4, 2.2),
    "WN": (1.9, 1.4),
    "LN": (1.6, 1.5),
    "LN per channel": (1.9, 1.7),
    "none": (1.5, 1.2),
}
OVERHEAD = {"BN": 0.1, "WN": 0.1, "LN per channel": 0.2, "LN": 0.35}  # over none, at most
MEMORY_GB, GROWTH = 1.4, 0.01  # at most
HOW = ("one run on all cores", "two runs, a thread each")


def rows(
    one: Groups, two: Groups, peaks: dict[str, list[float]], step: dict[str, float]
) -> list[dict]:
    """One row for every promise, whatever was measured, and one for what bounds them all.

    step: the parts of the free step without a norm, in milliseconds.
    """
    faster = [
        _faster(f"free {norm}, {how}", groups[norm], least)
        for norm, floors in FASTER.items()
        for how, groups, least in zip(HOW, (one, two), floors, strict=True)
    ]
    overhead = [_overhead(one, norm, most) for norm, most in OVERHEAD.items()]
    return [*faster, *overhead, *_of_memory(peaks), _outside(step)]


def _row(what: str, target: str, measured: str, met: bool | None) -> dict:
    """A line of the table; `met` is None where something was not measured."""
    answer = {True: "yes", False: "no", None: "not shown"}[met]
    return {"what": what, "target": target, "measured": measured, "met": answer}


def _outside(step: dict[str, float]) -> dict:
    """What is no product of matrices, and may become cheaper yet."""
    whole = sum(step.values())
    outside = whole - sum(step[part] for part in PRODUCTS)
    what = "free none, one thread: outside the products of matrices"
    return _row(what, "stated", f"{outside:.2f} of {whole:.2f} ms", None)


def named(results: list[Result], name: str) -> Result:
    """The contender of that name."""
    return next(result for result in results if result.contender.name == name)


def fastest_peer(results: list[Result]) -> Result | None:
    """The peer with the lowest median; None without any that counts."""
    peers = [r for r in results if r.contender.is_peer and not fault(r, results[0])]
    return min(peers, key=lambda result: result.median, default=None)


def _faster(what: str, results: list[Result], least: float) -> dict:
    """Free against the fastest peer, met only if all peers were measured."""
    target, mine = f"at least {least} times as fast as the fastest peer", named(results, FREE)
    if why := fault(mine, results[0]):
        return _row(what, target, why, None)
    absent = [r.contender.name for r in results if r.contender.is_peer and fault(r, results[0])]
    peer = fastest_peer(results)
    if peer is None:
        return _row(what, target, f"without {', '.join(absent)}", None)
    ratios = peer.over(mine)
    ratio = float(np.median(ratios))
    # Cut, not rounded: 1.799 is not 1.8.
    low, middle, high = (floor(100 * r) / 100 for r in (ratios.min(), ratio, ratios.max()))
    measured = f"{middle:.2f} ({low:.2f} to {high:.2f}, {peer.contender.name})"
    measured += f", without {', '.join(absent)}" if absent else ""
    return _row(what, target, measured, False if ratio < least else None if absent else True)


def _overhead(groups: Groups, norm: str, most: float) -> dict:
    """What a free norm adds to the step of the plain arm without a norm, in percent."""
    what, target = f"free {norm} over no norm, {HOW[0]}", f"at most {_percent(most, 0)} more"
    mine, none = named(groups[norm], FREE), named(groups["none"], PLAIN)
    if why := none.missing or fault(mine, groups[norm][0]):
        return _row(what, target, why, None)
    added = mine.over(none) - 1
    middle = float(np.median(added))
    measured = f"{_percent(middle)} more ({_percent(added.min())} to {_percent(added.max())})"
    return _row(what, target, measured, middle <= most)


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %".replace("-", "\N{MINUS SIGN}")


def _of_memory(peaks: dict[str, list[float]]) -> list[dict]:
    """Of peak memory in GB, after one epoch and after two, by arm."""
    most, arm = max((values[-1], arm) for arm, values in peaks.items())
    growth = max(after / before - 1 for before, after in peaks.values())
    return [
        _row("peak memory of a run", f"at most {MEMORY_GB} GB", f"{most:.2f} GB ({arm})",
             most <= MEMORY_GB),
        _row("peak memory after two epochs", f"at most {_percent(GROWTH, 0)} more than after one",
             f"{_percent(growth)} more", growth <= GROWTH),
    ]  # fmt: skip
