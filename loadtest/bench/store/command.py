"""`harness bench store`: how fast the local Convex engine reads, writes and pushes."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError


def store(
    documents: Annotated[
        str, typer.Option(help="Numbers of stored documents, ascending.")
    ] = "1000,100000,1000000",
    rounds: Annotated[int, typer.Option(min=1, help="How often each rate is measured.")] = 3,
    block: Annotated[float, typer.Option(min=0.05, help="Seconds of each measurement.")] = 1.0,
    subscriptions: Annotated[
        str, typer.Option(help="Numbers of subscriptions that writes are pushed to.")
    ] = "1,50,500",
    rate: Annotated[int, typer.Option(min=1, help="Those writes a second.")] = 200,
    seconds: Annotated[int, typer.Option(min=1, help="For how long they go on.")] = 5,
    seeded: Annotated[
        int, typer.Option(min=1, help="Documents that mutations fill an empty engine with.")
    ] = 100_000,
    doubled: Annotated[
        int, typer.Option(min=0, help="The most documents that convex-test is given.")
    ] = 100_000,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file.")
    ] = None,
) -> None:
    """Measure the local Convex engine from another process, and convex-test beside it."""
    from rich.console import Console

    from evals.figures import build_document, print_figures, public_settings
    from harness.settings import get_settings
    from loadtest.bench.goals import STORE_GOALS, print_goals
    from loadtest.bench.store.bench import Sizes, bench_store
    from loadtest.commands import keep

    console, settings = Console(), get_settings()
    sizes = Sizes(
        documents=_counts("--documents", documents),
        rounds=rounds,
        block_s=block,
        subscriptions=_counts("--subscriptions", subscriptions),
        rate=rate,
        seconds=seconds,
        seeded=seeded,
        doubled=doubled,
    )
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder:
        figures = asyncio.run(
            bench_store(
                Path(folder),
                sizes,
                say=lambda line: console.print(f"bench store: {line}", style="dim"),
            )
        )
    asked = {
        "documents": documents,
        "rounds": rounds,
        "block": block,
        "subscriptions": subscriptions,
        "rate": rate,
        "seconds": seconds,
        "seeded": seeded,
        "doubled": doubled,
    }
    document = build_document(
        "bench store",
        figures,
        public_settings(settings) | asked,
        engines={"convex": "local engine"},
    )
    print_figures(document, console)
    print_goals(figures, STORE_GOALS, console)
    keep(document, json, console)


def _counts(option: str, given: str) -> tuple[int, ...]:
    from loadtest.commands import sizes_of

    counts = tuple(sizes_of(option, given))
    if counts[0] < 1:
        raise HarnessError(f"{option} is {given!r}; its numbers must be above zero")
    return counts
