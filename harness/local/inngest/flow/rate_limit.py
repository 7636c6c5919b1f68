"""Rate limits: events over the limit start no run.

Inngest paces them evenly and lets a tenth of the limit through at once beside the first, so that
`limit` is what a period can hold, not what may come in its first moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.local.inngest._times import parse_duration
from harness.local.inngest.expressions import Expression
from harness.local.inngest.flow.cells import Rate
from harness.local.inngest.flow.keys import name_of, parse_key

_BURST_SHARE = 10
_LEAST_MS, _MOST_MS = 1_000, 24 * 3_600_000


@dataclass(frozen=True)
class RateLimit:
    """At most `rate` runs of one key start; what comes sooner is skipped."""

    rate: Rate
    key: Expression | None

    def name(self, function_id: str, event: Mapping[str, Any]) -> str | None:
        """What an event counts as; None where its key exempts it."""
        return name_of(f"rate:{function_id}", self.key, event)


def parse_rate_limit(raw: Mapping[str, Any] | None) -> RateLimit | None:
    """The setting as it was registered.

    Raises:
        ValueError: it is malformed.
    """
    if not raw:
        return None
    limit, period_ms = raw["limit"], parse_duration(raw["period"])
    if not isinstance(limit, int) or limit < 1:
        raise ValueError(f"its rate limit is {limit!r}: 1 is the least")
    if not _LEAST_MS <= period_ms <= _MOST_MS:
        raise ValueError(f"its rate limit's period is {raw['period']}: 1s to 24h are possible")
    burst = limit // _BURST_SHARE
    return RateLimit(Rate.per(period_ms, limit, burst + 1), parse_key(raw.get("key")))
