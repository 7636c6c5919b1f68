"""The whole bench: databases, engines, load, figures."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from evals.figures import Figure, figure
from harness.local.part import Part
from loadtest.bench.names import short
from loadtest.bench.store.double import compare_with_double
from loadtest.bench.store.filling import filled, imported
from loadtest.bench.store.rates import measure_rates
from loadtest.bench.store.scripts import Generator
from loadtest.bench.store.servers import floor_part, memory_mb
from loadtest.histogram import percentiles

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        documents: numbers of stored messages, ascending.
        seeded: messages that an empty engine is given by mutations.
        doubled: the most documents that `convex-test` is given.
        rounds: how often each rate is measured.
        block_s: seconds each time.
        subscriptions: numbers of them at which pushing is measured.
        rate: writes a second meanwhile.
        seconds: for how long.
        starts: how often each engine is started to see how long it takes.
    """

    documents: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    seeded: int = 100_000
    doubled: int = 100_000
    rounds: int = 3
    block_s: float = 1.0
    subscriptions: tuple[int, ...] = (1, 50, 500)
    rate: int = 200
    seconds: int = 5
    starts: int = 3


@dataclass
class _Bench:
    """What is up, and what it took."""

    folder: Path
    client: httpx.AsyncClient
    generator: Generator
    floor: Part
    engines: dict[int, Part] = field(default_factory=dict)
    imports: dict[str, Figure] = field(default_factory=dict)


async def bench_store(folder: Path, sizes: Sizes, *, say: Say) -> dict[str, Figure]:
    """Measure the local Convex engine from another process, by how many documents it holds.

    Args:
        folder: for databases and logs.
        sizes: how much is measured.
        say: takes a line of progress.

    Returns:
        The figures by name. Those of a number of documents end with it; of mutations over HTTP and
        of pushes the largest is meant where none is named. `push_…` begins with a write's commit,
        `seen_…` when it was sent. `floor_…` is a server that does nothing.

    Raises:
        HarnessError: a process did not start, or a call failed.
    """
    async with _started(folder, sizes, say) as bench:
        figures = bench.imports | await measure_rates(
            bench.generator,
            bench.engines,
            bench.floor,
            rounds=sizes.rounds,
            block_s=sizes.block_s,
            say=say,
        )
        for size, part in bench.engines.items():
            figures |= await _pushes(bench.generator, part, size, sizes, say)
            figures[f"memory_mb_{short(size)}"] = figure(memory_mb(part), "MB", size)
        say("starts")
        for size, part in bench.engines.items():
            figures[f"start_ms_{short(size)}"] = await _start(part, sizes.starts)
            await part.stop()
        say(f"{sizes.seeded:,} messages by mutations")
        figures |= await filled(folder, sizes.seeded, bench.generator, bench.client)
    for size in sizes.documents:
        if size <= sizes.doubled:
            say(f"convex-test at {size:,} documents")
            figures |= await compare_with_double(size, figures, seconds=sizes.block_s)
    return figures


async def _pushes(
    generator: Generator, part: Part, size: int, sizes: Sizes, say: Say
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for count in sizes.subscriptions:
        say(f"{sizes.rate} writes a second past {count} subscriptions at {size:,} documents")
        found = await generator.ask(
            "push",
            url=part.spec.url,
            subscriptions=count,
            rate=sizes.rate,
            seconds=sizes.seconds,
        )
        pushed, seen = found["pushed"], found["seen"]
        p50, p95 = percentiles(pushed, 50, 95)
        (seen95,) = percentiles(seen, 95)
        name = f"{count}_{short(size)}"
        figures |= {
            f"push_p50_ms_{name}": figure(p50, "ms", len(pushed)),
            f"push_p95_ms_{name}": figure(p95, "ms", len(pushed)),
            f"seen_p95_ms_{name}": figure(seen95, "ms", len(seen)),
        }
        if size == max(sizes.documents):
            figures[f"push_p95_ms_{count}"] = figures[f"push_p95_ms_{name}"]
    return figures


async def _start(part: Part, times: int) -> Figure:
    """From a process's start to its first answer."""
    taken_ms = []
    for _ in range(times):
        await part.stop()
        began = time.perf_counter()
        await part.start()
        taken_ms.append((time.perf_counter() - began) * 1000)
    return figure(sorted(taken_ms)[len(taken_ms) // 2], "ms", times)


@asynccontextmanager
async def _started(folder: Path, sizes: Sizes, say: Say) -> AsyncIterator[_Bench]:
    async with AsyncExitStack() as closing:
        client = await closing.enter_async_context(httpx.AsyncClient(trust_env=False))
        generator = await closing.enter_async_context(Generator(folder / "generator.log"))
        floor = floor_part(folder, client)
        closing.push_async_callback(floor.stop)
        await floor.start()
        bench = _Bench(folder, client, generator, floor)
        for size in sizes.documents:
            say(f"importing {size:,} documents")
            part, found = await imported(folder, size, client)
            closing.push_async_callback(part.stop)
            bench.engines[size] = part
            bench.imports |= found
        yield bench
