"""Every tool of a deployment, for people and for documentation."""

import asyncio
from collections.abc import Sequence
from typing import Any

from harness.settings import Settings
from harness.tools.builtin import BUILTIN
from harness.tools.registry import ToolSpec


async def catalogue(settings: Settings) -> tuple[list[ToolSpec], list[str]]:
    """The tools there are, and a line for each MCP server whose tools are missing.

    Args:
        settings: of the deployment.
    """
    specs = [each.spec for each in BUILTIN]
    if not settings.mcp_servers:
        return specs, []
    from harness.tools.mcp.inspection import inspect

    servers = settings.mcp_servers.items()
    looked = await asyncio.gather(*(inspect(name, server) for name, server in servers))
    missing = [
        f"the tools of MCP server {each.name} ({each.place}) are missing: {each.fault}"
        for each in looked
        if each.fault
    ]
    return specs + [spec for each in looked for spec in each.tools], missing


def as_document(specs: Sequence[ToolSpec]) -> dict[str, Any]:
    """The tools as JSON; `parameters` and `result` are JSON Schemas."""
    return {"tools": [spec.model_dump(mode="json") for spec in specs]}
