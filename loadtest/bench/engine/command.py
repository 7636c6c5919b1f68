"""`harness bench engine`: how fast Inngest functions run here."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def engine(
    runs: Annotated[int, typer.Option(min=1, help="Runs one after another.")] = 100,
    bursts: Annotated[str, typer.Option(help="Numbers of runs at once.")] = "200,2000",
    sleeping: Annotated[int, typer.Option(min=1, help="Runs that wake in one second.")] = 1000,
    waiting: Annotated[
        int, typer.Option(min=1, help="Runs that wait while events arrive.")
    ] = 10_000,
    rate: Annotated[int, typer.Option(min=50, help="Those events a second.")] = 1000,
    seconds: Annotated[int, typer.Option(min=1, help="For how long they arrive.")] = 5,
    stored: Annotated[
        int, typer.Option(min=1, help="Finished runs in the second engine's database.")
    ] = 100_000,
    workers: Annotated[int, typer.Option(min=1, help="Processes of the app.")] = 1,
    against: Annotated[
        str | None,
        typer.Option(help="Address of another Inngest server in development mode."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file.")
    ] = None,
) -> None:
    """Measure the local Inngest engine beside no engine at all, on the same app."""
    from rich.console import Console

    from evals.figures import build_document, print_figures, public_settings
    from harness.settings import get_settings
    from loadtest.bench.engine.bench import Sizes, bench_engine
    from loadtest.bench.goals import ENGINE_GOALS, print_goals
    from loadtest.commands import keep, sizes_of

    console, settings = Console(), get_settings()
    sizes = Sizes(
        runs=runs,
        bursts=tuple(sizes_of("--bursts", bursts)),
        sleeping=sleeping,
        waiting=waiting,
        rate=rate,
        seconds=seconds,
        stored=stored,
        workers=workers,
    )
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder:
        figures = asyncio.run(
            bench_engine(
                Path(folder),
                sizes,
                against=against,
                say=lambda line: console.print(f"bench engine: {line}", style="dim"),
            )
        )
    asked = {
        "runs": runs,
        "bursts": bursts,
        "sleeping": sleeping,
        "waiting": waiting,
        "rate": rate,
        "seconds": seconds,
        "stored": stored,
        "workers": workers,
        "against": against,
    }
    engines = {"inngest": "local engine"} | ({"against": against} if against else {})
    document = build_document(
        "bench engine", figures, public_settings(settings) | asked, engines=engines
    )
    print_figures(document, console)
    print_goals(figures, ENGINE_GOALS, console)
    keep(document, json, console)
