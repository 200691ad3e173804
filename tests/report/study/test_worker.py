"""A run's process: what its parent reads of it, and what it says when it fails."""

import pytest

from normlib.arm import Arm
from report.study import worker


def test_a_failing_run_says_why():
    arm = Arm(norm="own", source="def wrong(x, gamma, beta):\n    return missing", profile="quick")
    with pytest.raises(worker.RunFailed, match=r"code 1(.|\n)*name 'missing' is not defined"):
        worker.run((arm,), 0)


def test_a_line_that_a_killed_process_wrote_half_is_no_record():
    assert worker._read(['["record", {"arm": '], print) == []
