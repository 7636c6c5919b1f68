"""Concurrency: how many steps execute at once.

A limit counts *executing* steps, as on Inngest: a run that sleeps or waits holds nothing, so the
runs of one key interleave.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.local.inngest.expressions import Expression
from harness.local.inngest.flow.keys import parse_key

MAX_LIMITS = 2


@dataclass(frozen=True)
class Concurrency:
    """At most `limit` steps of one key execute at once, counted over the scope."""

    limit: int
    scope: str
    key: Expression | None


def parse_concurrency(raw: list[Mapping[str, Any]] | None) -> tuple[Concurrency, ...]:
    """The setting as it was registered.

    Raises:
        ValueError: it is malformed.
    """
    limits = raw or []
    if len(limits) > MAX_LIMITS:
        raise ValueError(
            f"it has {len(limits)} concurrency limits: at most {MAX_LIMITS} are possible"
        )
    return tuple(map(_parse, limits))


def _parse(raw: Mapping[str, Any]) -> Concurrency:
    limit, scope = raw["limit"], raw.get("scope") or "fn"
    if not isinstance(limit, int) or limit < 1:
        raise ValueError(f"its concurrency limit is {limit!r}: 1 is the least")
    if scope not in {"fn", "env", "account"}:
        raise ValueError(f"its concurrency scope is {scope!r}: use fn, env or account")
    if scope != "fn" and not raw.get("key"):
        raise ValueError(f"it has a concurrency scope {scope!r} without a key: give one")
    return Concurrency(limit, scope, parse_key(raw.get("key")))


def slots(
    function_id: str, limits: tuple[Concurrency, ...], event: Mapping[str, Any]
) -> Iterator[tuple[str, int]]:
    """What a run's steps count in: names, and how many each lets in.

    Args:
        event: the payload of the event that started the run, which the keys read.
    """
    for index, limit in enumerate(limits):
        key = "" if limit.key is None else str(limit.key(event=event))
        owner = f"fn:{function_id}:{index}" if limit.scope == "fn" else limit.scope
        yield f"{owner}:{key}", limit.limit
