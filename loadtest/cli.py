"""The commands of the load tests: `harness load` and `harness bench`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from harness.settings import SIMULATED_MODEL
from loadtest.bench.engine.command import engine
from loadtest.bench.store.command import store
from loadtest.chaos.command import chaos

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]

bench = typer.Typer(no_args_is_help=True, help="Measure one part of the product by itself.")
bench.command(name="engine")(engine)
bench.command(name="store")(store)


def register(app: typer.Typer) -> None:
    """Add the commands to the one command line."""
    app.command(name="load")(load)
    app.command(name="chaos")(chaos)
    app.add_typer(bench, name="bench")


def load(
    scenario: Annotated[str, typer.Argument(help="Which scenario; there is: send.")],
    rate: Annotated[float, typer.Option(help="Mean messages a second.")] = 5.0,
    duration: Annotated[float, typer.Option(help="Seconds of sending.")] = 20.0,
    arrivals: Annotated[str, typer.Option(help="poisson or constant.")] = "poisson",
    seed: Annotated[int, typer.Option(help="Seed of the arrivals.")] = 0,
    users: Annotated[int, typer.Option(help="How many users send.")] = 20,
    model: Annotated[str, typer.Option(help="Which model answers.")] = SIMULATED_MODEL,
    slo: Annotated[
        str | None, typer.Option(help="Objectives, such as 'completed_p95_ms < 2000, errors == 0'.")
    ] = None,
    json: Json = None,
) -> None:
    """Send messages on a schedule and measure what their senders see."""
    from loadtest.commands import load_command

    missed = asyncio.run(
        load_command(
            scenario,
            rate=rate,
            duration_s=duration,
            arrivals=arrivals,
            seed=seed,
            users=users,
            model=model,
            slo=slo,
            json=json,
        )
    )
    if missed:
        raise typer.Exit(1)


@bench.command(name="pipeline")
def pipeline(
    messages: Annotated[int, typer.Option(help="How many messages one after another.")] = 50,
    burst: Annotated[int, typer.Option(help="How many messages at once.")] = 200,
    stored: Annotated[
        str, typer.Option(help="Numbers of stored messages at which to measure the burst.")
    ] = "1000,100000",
    json: Json = None,
) -> None:
    """Measure acknowledgement, overhead and messages a second with a model that costs no time."""
    from loadtest.commands import pipeline_command

    asyncio.run(pipeline_command(messages=messages, burst=burst, stored=stored, json=json))


@bench.command(name="context")
def context(
    sizes: Annotated[
        str, typer.Option(help="How many messages one user has said, ascending.")
    ] = "1000,10000,100000",
    queries: Annotated[
        int, typer.Option(min=2, help="Messages that context is gathered for at each size.")
    ] = 40,
    json: Json = None,
) -> None:
    """Measure gathering context and indexing by how much a user has said, and selecting tools."""
    from loadtest.commands import context_command

    asyncio.run(context_command(sizes=sizes, queries=queries, json=json))
