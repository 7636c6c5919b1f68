"""`harness chaos`: kill processes under load and count what was broken."""

import asyncio
import importlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError

# Each is a module whose `run` takes a folder and the kills, and answers figures and a verdict.
TARGETS = {"engine": "loadtest.chaos.engine.target", "convex": "loadtest.chaos.convex.target"}


def chaos(
    target: Annotated[
        str, typer.Option(help="What is killed; there are: engine, convex.")
    ] = "engine",
    kills: Annotated[int, typer.Option(min=1, help="How many kills.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of their instants and victims.")] = 0,
    keep_in: Annotated[
        Path | None, typer.Option("--keep-in", help="Keep databases and logs in this folder.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file.")
    ] = None,
) -> None:
    """Kill processes at random instants under load; exit 1 when anything was lost or done twice."""
    if target not in TARGETS:
        raise HarnessError(f"--target is {target!r}; it can be {', '.join(TARGETS)}")
    if keep_in and keep_in.is_dir() and any(keep_in.iterdir()):
        raise HarnessError(f"--keep-in {keep_in} is not empty", "Give a folder that is new")
    from rich.console import Console

    from evals.figures import build_document, print_figures, public_settings
    from harness.progress import CountedProgress
    from harness.settings import get_settings
    from loadtest.commands import keep

    run = importlib.import_module(TARGETS[target]).run
    console, settings = Console(), get_settings()
    with tempfile.TemporaryDirectory(prefix="harness-chaos-") as scratch:
        folder = keep_in or Path(scratch)
        with CountedProgress(f"chaos {target}", kills, console) as progress:
            figures, broken = asyncio.run(
                run(folder, kills=kills, seed=seed, killed=progress.advance)
            )
    asked = {"target": target, "kills": kills, "seed": seed}
    document = build_document("chaos", figures, public_settings(settings) | asked)
    print_figures(document, console)
    keep(document, json, console)
    if broken:
        console.print("an invariant is broken: the figures say which", style="bold red")
        raise typer.Exit(1)
