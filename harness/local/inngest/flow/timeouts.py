"""Timeouts: a run that does not start in time, or does not finish in time, is cancelled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.local.inngest._times import parse_duration


@dataclass(frozen=True)
class Timeouts:
    """How long a run may wait to start, and how long it may take from then, in milliseconds."""

    start_ms: int | None
    finish_ms: int | None

    def deadline(self, created_at: int, started_at: int | None) -> tuple[int, str] | None:
        """When a run is cancelled, in milliseconds, and why; None for never."""
        if started_at is None:
            if self.start_ms is None:
                return None
            return created_at + self.start_ms, f"did not start within {self.start_ms} ms"
        if self.finish_ms is None:
            return None
        return started_at + self.finish_ms, f"did not finish within {self.finish_ms} ms"


def parse_timeouts(raw: Mapping[str, Any] | None) -> Timeouts | None:
    """The setting as it was registered.

    Raises:
        ValueError: it is malformed.
    """
    start, finish = (raw.get("start"), raw.get("finish")) if raw else (None, None)
    if not start and not finish:
        return None
    return Timeouts(
        parse_duration(start) if start else None, parse_duration(finish) if finish else None
    )
