"""Throttling: runs over the limit start later, first come first served."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.local.inngest._times import parse_duration
from harness.local.inngest.expressions import Expression
from harness.local.inngest.flow.cells import Rate
from harness.local.inngest.flow.keys import name_of, parse_key

_LEAST_MS, _MOST_MS = 1_000, 7 * 24 * 3_600_000


@dataclass(frozen=True)
class Throttle:
    """Runs of one key start at the pace of `rate`."""

    rate: Rate
    key: Expression | None

    def name(self, function_id: str, event: Mapping[str, Any]) -> str | None:
        """What a run of this event counts as; None where its key exempts it."""
        return name_of(f"throttle:{function_id}", self.key, event)


def parse_throttle(raw: Mapping[str, Any] | None) -> Throttle | None:
    """The setting as it was registered.

    Raises:
        ValueError: it is malformed.
    """
    if not raw:
        return None
    limit, burst, period_ms = raw["limit"], raw.get("burst") or 0, parse_duration(raw["period"])
    if not isinstance(limit, int) or limit < 1:
        raise ValueError(f"its throttle's limit is {limit!r}: 1 is the least")
    if not isinstance(burst, int) or burst < 0:
        raise ValueError(f"its throttle's burst is {burst!r}: 0 is the least")
    if not _LEAST_MS <= period_ms <= _MOST_MS:
        raise ValueError(f"its throttle's period is {raw['period']}: 1s to 7d are possible")
    return Throttle(Rate.per(period_ms, limit, limit + burst), parse_key(raw.get("key")))
