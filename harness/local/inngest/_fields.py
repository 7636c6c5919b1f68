"""What is heeded of a function's configuration: whatever else an app asks for is refused.

What were ignored here would be found out in production.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Fields = Mapping[str, "Fields | None"]


def _fields(*names: str, **parts: Fields) -> Fields:
    return {**dict.fromkeys(names), **parts}


KNOWN = _fields(
    *("id", "name", "idempotency"),
    *("batchEvents", "debounce"),  # refused by name
    triggers=_fields("event", "expression", "cron", "jitter"),  # a cron is refused by itself
    cancel=_fields("event", "if", "timeout"),
    concurrency=_fields("limit", "scope", "key"),
    priority=_fields("run"),
    rateLimit=_fields("limit", "period", "key"),
    throttle=_fields("limit", "period", "burst", "key"),
    timeouts=_fields("start", "finish"),
    singleton=_fields("mode", "key"),
    steps=_fields(
        step=_fields("id", "name", retries=_fields("attempts"), runtime=_fields("type", "url"))
    ),
)


def unknown(raw: Any, known: Fields = KNOWN) -> Iterator[str]:
    """The fields of a registered configuration, by their paths, that nothing heeds.

    Args:
        raw: a function's configuration, or a part of one; what is null asks for nothing.
        known: the fields of it that are heeded, with their own.
    """
    for item in raw if isinstance(raw, list) else [raw]:
        for key, value in item.items() if isinstance(item, Mapping) else ():
            inner = known.get(key)
            if value is not None and key not in known:
                yield key
            elif inner is not None:
                yield from (f"{key}.{field}" for field in unknown(value, inner))
