"""`harness demo`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def demo(
    conversation: Annotated[
        Path | None, typer.Option(help="A conversation of your own, shaped as the shipped one.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures to this file.")
    ] = None,
) -> None:
    """Run the whole pipeline on this machine: a conversation, two evals, a load run, a report."""
    from rich.console import Console

    from evals.demo.run import run_demo
    from evals.demo.script import SHIPPED, load
    from harness.settings import get_settings

    said = load(conversation or SHIPPED)
    if not asyncio.run(run_demo(get_settings(), said, console=Console(), json=json)):
        raise typer.Exit(1)
