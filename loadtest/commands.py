"""What the load test's commands do: run, print, keep in MLflow, write as JSON."""

from pathlib import Path
from typing import get_args

import polars as pl
from rich.console import Console

from evals.datasets.loader import load_conversations
from evals.embedding import embedder_engines, timed
from evals.figures import Document, build_document, figure, print_figures, public_settings
from evals.figures import write_document as write
from evals.gate import parse_gate
from evals.stack import measuring_stack
from evals.tasks.result import Evaluation
from evals.tracking import keep_evaluation, keep_run
from harness.errors import HarnessError
from harness.local.environment import PARTS
from harness.progress import CountedProgress
from harness.services import build_services
from harness.settings import SIMULATED_MODEL, Settings, get_settings
from loadtest.arrivals import Arrivals, schedule
from loadtest.bench.context import bench_context
from loadtest.bench.pipeline import bench_pipeline
from loadtest.bench.selection import bench_selection
from loadtest.measures import UNITS, measure
from loadtest.plan import LoadResult
from loadtest.run import find_scenario, run_load
from loadtest.stack import NO_RATE_LIMIT, private_stack

ENGINES = {"inngest": "local engine", "convex": "local engine", "chroma": "local server"}


async def load_command(
    scenario: str,
    *,
    rate: float,
    duration_s: float,
    arrivals: str,
    seed: int,
    users: int,
    model: str,
    slo: str | None,
    json: Path | None,
) -> bool:
    """Run a scenario; answers whether an objective was missed.

    Raises:
        HarnessError: for settings that make no sense.
    """
    # Whatever is wrong with the request is told before a stack is started for it.
    objectives = parse_gate(slo, "--slo") if slo else None
    kind = _arrivals(arrivals)
    find_scenario(scenario)
    _check_schedule(rate, duration_s)
    console = Console()
    env = {"HARNESS_MODEL": model, **NO_RATE_LIMIT}
    async with measuring_stack(get_settings(), set(PARTS), console, env) as measured:
        console.print(f"load: {scenario}, model {model}")
        result, document = await measured_load(
            measured.settings,
            scenario,
            console=console,
            rate=rate,
            duration_s=duration_s,
            arrivals=kind,
            seed=seed,
            users=users,
            model=model,
        )
    print_figures(document, console)
    first_error = next((sample.error for sample in result.samples if sample.error), None)
    if first_error:
        console.print(f"first error: {first_error}", style="red", markup=False)
    samples = pl.DataFrame([sample.model_dump() for sample in result.samples])
    keep(document, json, console, samples)
    missed = objectives.missed(document.figures) if objectives else []
    for line in missed:
        console.print(line, style="bold red")
    return bool(missed)


async def measured_load(
    settings: Settings,
    scenario: str,
    *,
    console: Console,
    rate: float,
    duration_s: float,
    arrivals: Arrivals = "poisson",
    seed: int = 0,
    users: int = 20,
    model: str = SIMULATED_MODEL,
) -> tuple[LoadResult, Document]:
    """Run a scenario against a stack and put its figures together.

    Args:
        settings: of the stack.
        scenario: which.
        console: where progress goes.
        rate: mean messages a second.
        duration_s: seconds of sending.
        arrivals: `poisson` or `constant`.
        seed: of the arrivals.
        users: how many users send.
        model: which model answers.
    """
    total = len(schedule(rate, duration_s, arrivals, seed))
    with CountedProgress(f"load {scenario}", total, console) as progress:

        def on_progress(counts: dict[str, int]) -> None:
            while progress.done < counts["finished"] + counts["refused"]:
                progress.advance(failed=progress.failed < counts["refused"])

        result = await run_load(
            settings,
            scenario,
            rate=rate,
            duration_s=duration_s,
            arrivals=arrivals,
            seed=seed,
            users=users,
            model=model,
            on_progress=on_progress,
        )
    figures = {
        name: figure(value, UNITS.get(name, "ms"), total)
        for name, value in measure(result, duration_s).items()
    }
    asked = {
        "scenario": scenario,
        "rate": rate,
        "duration_s": duration_s,
        "arrivals": arrivals,
        "seed": seed,
        "users": users,
        "load_model": model,
    }
    document = build_document(
        "load",
        figures,
        public_settings(settings) | asked,
        engines=ENGINES | {"model": model},
        simulated=model.startswith(SIMULATED_MODEL),
    )
    return result, document


async def pipeline_command(*, messages: int, burst: int, stored: str, json: Path | None) -> None:
    """Measure the pipeline on a private stack.

    Raises:
        HarnessError: for counts that can not be read.
    """
    sizes = sizes_of("--stored", stored)
    console = Console()
    async with private_stack() as stack:
        figures = await bench_pipeline(
            stack,
            messages=messages,
            burst=burst,
            stored=sizes,
            say=lambda line: console.print(f"bench pipeline: {line}", style="dim"),
        )
        settings = public_settings(stack.settings) | {"messages": messages, "burst": burst}
    document = build_document("bench pipeline", figures, settings, engines=ENGINES, simulated=True)
    print_figures(document, console)
    keep(document, json, console)


async def context_command(*, sizes: str, queries: int, json: Path | None) -> None:
    """Measure context over a private Chroma and a private Convex.

    Raises:
        HarnessError: for counts that can not be read.
    """
    counts, data = sizes_of("--sizes", sizes), load_conversations("all")
    console = Console()
    async with private_stack(parts={"convex", "chroma"}) as stack:
        settings = timed(stack.settings, get_settings())
        async with await build_services(settings) as services:

            def say(line: str) -> None:
                console.print(f"bench context: {line}", style="dim")

            figures = await bench_context(services, data, sizes=counts, queries=queries, say=say)
            figures |= await bench_selection(services.memory.embedder, say=say)
    document = build_document(
        "bench context",
        figures,
        public_settings(settings) | {"sizes": sizes, "queries": queries},
        engines=ENGINES | embedder_engines(settings),
        dataset=data.info,
    )
    print_figures(document, console)
    keep(document, json, console)


def _arrivals(name: str) -> Arrivals:
    for kind in get_args(Arrivals):
        if kind == name:
            return kind  # type: ignore[no-any-return]
    raise HarnessError(f"--arrivals is {name!r}; it can be poisson or constant")


def _check_schedule(rate: float, duration_s: float) -> None:
    for option, value in (("--rate", rate), ("--duration", duration_s)):
        if value <= 0:
            raise HarnessError(f"{option} is {value:g}; it must be above zero")


def sizes_of(option: str, given: str) -> list[int]:
    """Numbers separated by commas, ascending.

    Raises:
        HarnessError: they are none.
    """
    try:
        return sorted(int(size) for size in given.split(","))
    except ValueError:
        raise HarnessError(f"{option} is {given!r}; write numbers, such as 1000,100000") from None


def keep(
    document: Document, json: Path | None, console: Console, rows: pl.DataFrame | None = None
) -> None:
    """Keep a document in MLflow, and as JSON where a file is given."""
    if rows is None:
        run_id = keep_run(get_settings(), document, name=document.command)
    else:
        run_id = keep_evaluation(get_settings(), Evaluation(document, rows), document.command)
    console.print(f"kept in MLflow as run {run_id}", style="dim")
    if json is not None:
        write(document, json)
        console.print(f"figures written to {json}", style="dim")
