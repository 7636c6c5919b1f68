"""`harness fit tools`: let a deployment's tool selection learn from labelled requests."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from harness.settings import Settings, get_settings


def fit_tools(
    file: Annotated[
        Path, typer.Option("--file", help='Lines like {"request": "…", "tool": "…"}; all of them.')
    ],
) -> None:
    """Make a file's requests the labelled ones of the deployment; they vote for every user.

    The file is the whole of them: requests labelled before and not in it are removed, so that an
    empty file removes all. Workers follow within minutes.
    """
    from harness.local.supervisor import running_settings
    from harness.tools.labelled import read_labelled

    requests = read_labelled(file)
    settings = get_settings()
    asyncio.run(_label(running_settings(settings.home) or settings, requests))


async def _label(settings: Settings, requests: list[tuple[str, str]]) -> None:
    from harness.services import build_services

    async with await build_services(settings) as services:
        await services.exemplars.label(requests)
        tools = {tool for _, tool in requests}
        typer.echo(f"{len(set(requests))} labelled requests for {len(tools)} tools")
        unknown = sorted(tools.difference(services.registry.names()))
        if unknown:
            typer.echo(f"of tools that are not built in: {', '.join(unknown)}")
