"""Durations and times as the SDK writes them."""

import re
from datetime import UTC, datetime

_UNITS_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_PART = re.compile(r"(\d+)(ms|[smhdw])")


def parse_duration(text: str) -> int:
    """Milliseconds of a duration such as `30s`, `1h30m` or `2w`.

    Raises:
        ValueError: it is no duration.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 30s, 1h30m or 2w")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in parts)


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 time; UTC where it names no zone.

    Raises:
        ValueError: it is no ISO time.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def iso(at_ms: int) -> str:
    """The ISO 8601 time of milliseconds since the epoch, in UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
