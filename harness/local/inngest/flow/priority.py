"""Priorities: of the runs that wait for a place, which is let in first.

A run's factor is how many seconds earlier it counts as queued. A negative one puts its start off,
as on Inngest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.local.inngest.expressions import Expression, compile_expression

MOST_S = 600


@dataclass(frozen=True)
class Priority:
    """An expression over the event that gives seconds from -600 to 600."""

    run: Expression

    def ahead_ms(self, event: Mapping[str, Any]) -> int:
        """How much earlier a run of this event counts as queued; 0 where it gives no integer."""
        factor = self.run(event=event)
        if isinstance(factor, bool) or not isinstance(factor, int):
            return 0
        return max(-MOST_S, min(factor, MOST_S)) * 1000


def parse_priority(raw: Mapping[str, Any] | None) -> Priority | None:
    """The setting as it was registered.

    Raises:
        ExpressionError: it does not compile.
    """
    source = raw.get("run") if raw else None
    return Priority(compile_expression(source)) if source else None
