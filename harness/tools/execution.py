"""Running one tool call: checked, bounded in time and size, and never raising."""

import asyncio
import inspect
import json
import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from harness.models import ToolRequest
from harness.tools._arguments import WrongArguments
from harness.tools._trim import MAX_RESULT_CHARS, trim
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError, ToolUnavailable
from harness.tools.registry import Registry, Tool, ToolSpec

__all__ = ["ToolContext", "ToolResult", "call_problem", "check_arguments", "run_tool"]

log = logging.getLogger(__name__)


class ToolResult(BaseModel):
    """What a call came to.

    Attributes:
        error: for the model to read, and the user.
        passing: whether another try may fare better; what a tool itself refuses is final.
    """

    ok: bool
    value: Any = None
    error: str | None = None
    passing: bool = False


def call_problem(
    registry: Registry, offered: Mapping[str, ToolSpec], call: ToolRequest
) -> str | None:
    """Why a model must correct a call before it can run, in words for it; None when it can.

    Args:
        registry: the tools there are.
        offered: those that the model may call, by name; what it names beside them never runs.
        call: as the model asked for it.
    """
    if call.error is not None:
        return call.error
    if call.name not in offered:
        return f"there is no tool {call.name!r}; there are: {', '.join(offered) or 'none'}"
    if registry.tool(call.name) is None:
        return None  # it went away since: no fault of the model's
    return check_arguments(registry, call.name, call.arguments)[1]


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
        return None, f"there is no tool {name!r} at present"
    try:
        return found.check(arguments), None
    except WrongArguments as error:
        return None, f"{name} was given wrong arguments: {error}"


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
        passing = isinstance(error, ToolUnavailable)
        return ToolResult(ok=False, error=trim(str(error), MAX_RESULT_CHARS), passing=passing)
    except TimeoutError:
        late = f"{name} gave no result in {found.spec.timeout_s:g} s"
        return ToolResult(ok=False, error=late, passing=True)
    except Exception:
        # Its words may hold anything, a path or a key; the log has them for the operator.
        log.exception("tool %s failed in call %s", name, context.call_id)
        told = f"{name} failed unexpectedly; the log says why"
        return ToolResult(ok=False, error=told, passing=True)
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
