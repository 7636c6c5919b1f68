"""Tool calls of models that speak the `tools` parameter."""

import json
from collections.abc import Sequence
from typing import Any

from harness.llm.completion import CallFragments
from harness.models import ToolRequest
from harness.tools.registry import ToolSpec

_NEAR = 20  # characters around what is wrong that a model is shown


def tool_options(tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """The request's parameters that offer these tools; none for no tools."""
    if not tools:
        return {}
    return {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in tools
        ]
    }


def parse_calls(calls: Sequence[CallFragments], prefix: str) -> list[ToolRequest]:
    """The calls a model asked for; malformed arguments become the call's `error`.

    Args:
        calls: as they came over the stream.
        prefix: of the calls' ids. A model's own ids are unique within its answer only, and a
            retried step must not give the same call a second id.
    """
    return [parse_call(f"{prefix}{i}", call.name, call.arguments) for i, call in enumerate(calls)]


def parse_call(call_id: str, name: str, arguments: str) -> ToolRequest:
    """One call from its JSON text; no arguments at all count as none given."""
    try:
        parsed = json.loads(arguments or "{}")
    except json.JSONDecodeError as error:
        return malformed(call_id, name, arguments, error)
    if not isinstance(parsed, dict):
        reason = f"the arguments of {name} are not a JSON object"
        return ToolRequest(call_id=call_id, name=name, error=reason)
    return ToolRequest(call_id=call_id, name=name, arguments=parsed)


def malformed(call_id: str, name: str, text: str, error: json.JSONDecodeError) -> ToolRequest:
    """A call whose text is not JSON, with what is wrong and where."""
    near = text[max(0, error.pos - _NEAR) : error.pos + _NEAR]
    reason = (
        f"the arguments of {name} are not JSON "
        f"({error.msg}; character {error.pos} of {len(text)}, near {near!r})"
    )
    return ToolRequest(call_id=call_id, name=name, error=reason)
