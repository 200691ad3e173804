"""The table of public cases leads to mistakes that are known."""

import re

from report.study.exercises.catalogue import EXERCISES
from report.study.exercises.public_cases import CASES


def test_every_case_shows_a_known_mistake():
    for case in CASES:
        known = {fault[:2] for fault in EXERCISES[case.exercise].faults}
        assert (case.switch, case.value) in known, case.address


def test_there_are_twenty_at_least_each_with_an_address_of_its_own():
    addresses = {case.address for case in CASES}
    assert len(addresses) == len(CASES) >= 20
    assert all(re.fullmatch(r"https://[\w./-]+", address) for address in addresses)
    assert {case.exercise for case in CASES} >= set(EXERCISES) - {
        "weight_norm_backward", "network_norm",
    }  # fmt: skip
