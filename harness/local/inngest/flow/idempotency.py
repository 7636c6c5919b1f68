"""Idempotency: of the events with one key, the first in 24 hours starts a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.local.inngest.expressions import Expression, compile_expression
from harness.local.inngest.flow.cells import Rate
from harness.local.inngest.flow.keys import name_of

_ONCE_A_DAY = Rate.per(24 * 3_600_000, limit=1, capacity=1)


@dataclass(frozen=True)
class Idempotency:
    """One run a key and day, which on Inngest is a rate limit of its own."""

    key: Expression
    rate: Rate = _ONCE_A_DAY

    def name(self, function_id: str, event: Mapping[str, Any]) -> str | None:
        """What an event counts as; None where its key exempts it."""
        return name_of(f"once:{function_id}", self.key, event)


def parse_idempotency(source: str | None) -> Idempotency | None:
    """The setting as it was registered.

    Raises:
        ExpressionError: its key does not compile.
    """
    return Idempotency(compile_expression(source)) if source else None
