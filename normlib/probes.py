"""What an arm's probe measures while the network trains, for the record's `telemetry`."""

from collections.abc import Callable

PROBES: dict[str, Callable] = {}
