"""What a setting's key expression says of an event."""

from collections.abc import Mapping
from typing import Any

import orjson

from harness.local.inngest.expressions import Expression, compile_expression


def parse_key(source: str | None) -> Expression | None:
    """The compiled key; None where the setting has none, and counts over the whole function.

    Raises:
        ExpressionError: it does not compile.
    """
    return compile_expression(source) if source else None


def name_of(owner: str, key: Expression | None, event: Mapping[str, Any]) -> str | None:
    """What an event counts as.

    Args:
        owner: the setting and its function, which no other shares.
        event: the payload.

    Returns:
        The owner with the key's value; None where the key is false, which exempts the event, as on
        Inngest.
    """
    if key is None:
        return owner
    value = key(event=event)
    return None if value is False else f"{owner}:{orjson.dumps(value).decode()}"
