"""Calling the built-in tools as a run calls them."""

from collections.abc import Awaitable, Callable

import pytest

from harness.tools.builtin import BUILTIN
from harness.tools.context import ToolContext
from harness.tools.execution import ToolResult, run_tool
from harness.tools.registry import Registry


@pytest.fixture
def call(context: ToolContext) -> Callable[..., Awaitable[ToolResult]]:
    registry = Registry(BUILTIN)

    async def run(name: str, **arguments: object) -> ToolResult:
        return await run_tool(registry, name, arguments, context)

    return run
