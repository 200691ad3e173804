"""What became of a prediction that was written down before its runs: a sentence for each kind."""

from report.study.comparisons import Interval


def of_side(predicted: str, *found: Interval) -> str:
    """Whether every interval has the predicted verdict; unresolved if none says the opposite."""
    verdicts = {each.verdict for each in found}
    if verdicts == {predicted}:
        return "The prediction held."
    if predicted != "not resolved" and verdicts <= {predicted, "not resolved"}:
        return "The prediction is not resolved."
    return "The prediction failed."


def of_fact(held: bool) -> str:
    """The sentence on a prediction that is not one of an interval."""
    return f"The prediction {'held' if held else 'failed'}."


def within(found: Interval, points: float) -> str:
    """Whether a gap was shown to be less than this many points either way, as predicted."""
    if max(abs(found.low), abs(found.high)) < points:
        return of_fact(True)
    outside = found.low > points or found.high < -points
    return of_fact(False) if outside else "The prediction is not resolved."
