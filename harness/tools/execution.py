"""Running one tool call: checked, bounded in time and size, and never raising."""

import asyncio
import inspect
import json
import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.tools._trim import MAX_RESULT_CHARS, trim
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError
from harness.tools.registry import Registry, Tool

__all__ = ["ToolContext", "ToolResult", "check_arguments", "run_tool"]

log = logging.getLogger(__name__)


class ToolResult(BaseModel):
    """What a call came to; `error` is for the model to read, and the user."""

    ok: bool
    value: Any = None
    error: str | None = None


def check_arguments(
    registry: Registry, name: str, arguments: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, str | None]:
    """A call's arguments in their types, or what is wrong with them.

    Args:
        registry: the tools there are.
        name: the called one's.
        arguments: as the model gave them.
    """
    found = registry.tool(name)
    if found is None:
        return None, f"there is no tool {name!r}; there are: {', '.join(registry.names())}"
    try:
        return dict(_validated(found, arguments)), None
    except ValidationError as error:
        return None, f"{name} was given wrong arguments: {_readable(error)}"


async def run_tool(
    registry: Registry, name: str, arguments: Mapping[str, Any], context: ToolContext
) -> ToolResult:
    """Run one call. What goes wrong is a result too, but for cancellation.

    Args:
        registry: the tools there are.
        name: the called one's.
        arguments: as the model gave them.
        context: of the run.
    """
    checked, wrong = check_arguments(registry, name, arguments)
    found = registry.tool(name)
    if checked is None or found is None:
        return ToolResult(ok=False, error=wrong)
    if found.spec.control is not None:
        return ToolResult(ok=False, error=f"{name} is carried out by the run itself")
    try:
        async with asyncio.timeout(found.spec.timeout_s):
            value = await _call(found, checked, context)
    except ToolError as error:
        return ToolResult(ok=False, error=str(error))
    except TimeoutError:
        return ToolResult(ok=False, error=f"{name} gave no result in {found.spec.timeout_s:g} s")
    except Exception:
        # Its words may hold anything, a path or a key; the log has them for the operator.
        log.exception("tool %s failed in call %s", name, context.call_id)
        return ToolResult(ok=False, error=f"{name} failed unexpectedly; the log says why")
    return ToolResult(ok=True, value=trim(value, MAX_RESULT_CHARS))


async def _call(found: Tool, arguments: dict[str, Any], context: ToolContext) -> Any:
    if "context" in inspect.signature(found.function).parameters:
        arguments = {**arguments, "context": context}
    if inspect.iscoroutinefunction(found.function):
        value = await found.function(**arguments)
    else:
        value = await asyncio.to_thread(found.function, **arguments)
    json.dumps(value)  # a result that is no JSON fails here, under its tool's name
    return value


def _validated(found: Tool, arguments: Mapping[str, Any]) -> BaseModel:
    return found.arguments.model_validate(dict(arguments))


def _readable(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False)
    )
