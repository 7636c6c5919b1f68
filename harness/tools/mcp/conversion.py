"""What MCP says of a tool and of its results, in our words."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from mcp import types

from harness.models import Effect
from harness.tools._arguments import schema_check
from harness.tools.errors import ToolError
from harness.tools.registry import ONCE, Permission, Retry, Tool, ToolSpec

NAME_CHARS = 64  # that models take
DESCRIPTION_CHARS = 1000
READ_AGAIN = Retry(attempts=2)  # a server that comes back is found within its first backoff
_LEFT_OUT = frozenset({"$schema", "title"})  # which say nothing to a model

CallTool = Callable[[str, dict[str, Any]], Awaitable[Any]]


def source_of(server: str) -> str:
    """The source, in the registry, of a server's tools."""
    return f"mcp:{server}"


def to_tool(server: str, listed: types.Tool, timeout_s: float, call: CallTool) -> Tool:
    """A server's tool as one of the registry.

    What a server says of a tool's effect is believed, for the deployment chose the server; where it
    says nothing, the tool may do anything.

    Args:
        server: its name in the settings.
        listed: what it says of the tool.
        timeout_s: until a call is given up.
        call: calls a tool of the server by its own name for it.

    Raises:
        WrongArguments: its schema is none.
    """
    effect, idempotent, permission = _effect(listed.annotations or types.ToolAnnotations())

    async def function(**arguments: Any) -> Any:
        return await call(listed.name, arguments)

    spec = ToolSpec(
        name=tool_name(server, listed.name),
        description=_one_line(listed.description or listed.title or listed.name),
        parameters=_parameters(listed.input_schema),
        result=listed.output_schema or {},
        effect=effect,
        permission=permission,
        idempotent=idempotent,
        timeout_s=timeout_s,
        retry=READ_AGAIN if effect is Effect.READ else ONCE,
        source=source_of(server),
    )
    return Tool(spec, function, schema_check(listed.input_schema), {})


def tool_name(server: str, name: str) -> str:
    """The name under which a server's tool is offered, of the characters that models take."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}_{name}")[:NAME_CHARS]


def result_value(result: types.CallToolResult) -> Any:
    """A result as JSON: what is structured, else its texts.

    Raises:
        ToolError: the tool says that it failed, with its words.
    """
    if result.is_error:
        raise ToolError(_text(result) or "the tool failed and does not say why")
    return _text(result) if result.structured_content is None else result.structured_content


def _effect(hints: types.ToolAnnotations) -> tuple[Effect, bool, Permission]:
    if hints.read_only_hint:
        return Effect.READ, True, "auto"
    effect = Effect.WRITE if hints.destructive_hint is False else Effect.EXTERNAL
    return effect, hints.idempotent_hint is True, "ask"


def _parameters(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _plain(field) for name, field in schema.get("properties", {}).items()}
    return {"type": "object", **_plain(schema), "properties": properties}


def _plain(schema: Any) -> Any:
    if not isinstance(schema, dict):  # true: anything at all
        return schema
    return {key: value for key, value in schema.items() if key not in _LEFT_OUT}


def _text(result: types.CallToolResult) -> str:
    return "\n".join(map(_block, result.content))


def _block(block: types.ContentBlock) -> str:
    match block:
        case types.TextContent():
            return block.text
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return resource.text
        case types.EmbeddedResource():
            return f"[left out: {block.resource.uri}]"
        case types.ResourceLink():
            return f"{block.name}: {block.uri}"
        case _:
            return f"[left out: {block.mime_type}]"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= DESCRIPTION_CHARS else f"{line[: DESCRIPTION_CHARS - 1]}…"
