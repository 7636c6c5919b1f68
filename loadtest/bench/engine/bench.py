"""The whole bench: processes, blocks in turn, figures."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx

from evals.figures import Figure, figure
from harness.errors import HarnessError
from harness.local.inngest.client import Client
from harness.local.inngest.executor import CALL_TIMEOUT_S, MAX_ANSWER_BYTES
from harness.local.part import Part
from harness.local.process import group_cpu_s, group_memory_mb
from loadtest.bench.engine.reports import Reports
from loadtest.bench.engine.runners import Engine, Floor, Runner
from loadtest.bench.engine.runs import at_once, one_after_another, sequential_figures
from loadtest.bench.engine.servers import app_part, database, engine_part
from loadtest.bench.engine.stored import fill
from loadtest.bench.engine.waits import pass_events, put_to_wait, wake
from loadtest.bench.names import short

FLOOR_AT_ONCE = 64
LONGEST_S = 3600.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        runs: one after another, each runner.
        bursts: runs at once.
        sleeping: runs that wake in one second.
        waiting: runs that wait while events arrive.
        rate: of those events, a second.
        seconds: for which they arrive.
        stored: finished runs in the second engine's database.
        starts: how often each engine is started to see how long it takes.
        workers: processes of the app.
    """

    runs: int = 100
    bursts: tuple[int, ...] = (200, 2000)
    sleeping: int = 1000
    waiting: int = 10_000
    rate: int = 1000
    seconds: int = 5
    stored: int = 100_000
    starts: int = 5
    workers: int = 1


@dataclass
class _Bench:
    """What is up: the app, our engine empty and full, and who else is measured."""

    folder: Path
    app: Part
    engine: Part
    stored: Part
    engines: dict[str, Engine]
    floor: Floor

    @property
    def runners(self) -> list[Runner]:
        return [self.floor, *self.engines.values()]

    @property
    def cpu_groups(self) -> dict[str, set[int]]:
        """Whose processor time a run costs beside the app's."""
        groups = {"floor": self.app, "engine": self.engine, "stored": self.stored}
        return {name: {part.pid} for name, part in groups.items() if part.pid}


async def bench_engine(
    folder: Path, sizes: Sizes, *, against: str | None, say: Say
) -> dict[str, Figure]:
    """Measure the floor, this engine, the same with runs stored, and another server.

    Args:
        folder: for databases and logs.
        sizes: how much is measured.
        against: address of another server in development mode.
        say: takes a line of progress.

    Returns:
        The figures by name. `stored_…` are of the engine with runs stored, `against_…` of the
        other server, all over the same app. `floor_cpu_ms_per_run` is the app's alone.

    Raises:
        HarnessError: a process did not start, or a run did not end.
    """
    try:
        async with asyncio.timeout(LONGEST_S), _started(folder, sizes, against, say) as bench:
            figures = await _measure(bench, sizes, say)
            return figures | await _starts(bench, sizes, say)
    except TimeoutError:
        raise HarnessError(f"the bench did not end in {LONGEST_S:.0f} s: a run is lost") from None


async def _measure(bench: _Bench, sizes: Sizes, say: Say) -> dict[str, Figure]:
    idle_mb = _memory_mb(bench.engine)
    figures = sequential_figures(await one_after_another(bench.runners, sizes.runs, say))
    for size in sizes.bursts:
        figures |= await at_once(bench.runners, size, bench.cpu_groups, say)
    for name in ("p50_ms", "runs_per_s"):
        full, empty = figures[f"stored_{name}"], figures[f"engine_{name}"]
        ratio = (full.value or 0) / (empty.value or 1)
        figures[f"stored_over_engine_{name}"] = figure(ratio, "times", full.n)
    for name, engine in bench.engines.items():
        if name == "stored":
            continue
        prefix = "" if name == "engine" else f"{name}_"
        found = await wake(engine, sizes.sleeping, say)
        before_mb = _memory_mb(bench.engine)
        keys = await put_to_wait(engine, sizes.waiting, say)
        waiting_mb = _memory_mb(bench.engine)
        before_s = _cpu_s(bench.engine)
        found |= await pass_events(engine, keys, sizes.rate, sizes.seconds, say)
        if name == "engine":
            events = sizes.rate * sizes.seconds
            cpu_ms = (_cpu_s(bench.engine) - before_s) * 1000 / events
            each_kb = (waiting_mb - before_mb) * 1000 / sizes.waiting
            found |= {
                "cpu_ms_per_event": figure(cpu_ms, "ms", events),
                "memory_idle_mb": figure(idle_mb, "MB"),
                "memory_waiting_mb": figure(waiting_mb, "MB", sizes.waiting),
                "memory_kb_per_waiting_run": figure(each_kb, "kB", sizes.waiting),
            }
        figures |= {prefix + key: value for key, value in found.items()}
    return figures


async def _starts(bench: _Bench, sizes: Sizes, say: Say) -> dict[str, Figure]:
    """From a process's start to its first answer, without runs in its database and with them."""
    say("starts")
    await bench.engine.stop()
    database(bench.folder, "engine").unlink()
    taken: dict[str, list[float]] = {"empty": [], short(sizes.stored): []}
    cpu: dict[str, list[float]] = {name: [] for name in taken}
    for _ in range(sizes.starts):
        for name, part in zip(taken, (bench.engine, bench.stored), strict=True):
            await part.stop()
            before = time.perf_counter()
            await part.start()
            taken[name].append((time.perf_counter() - before) * 1000)
            cpu[name].append(_cpu_s(part) * 1000)
    return {
        f"start_{name}_{what}": figure(sorted(each)[len(each) // 2], "ms", len(each))
        for what, found in (("ms", taken), ("cpu_ms", cpu))
        for name, each in found.items()
    }


@asynccontextmanager
async def _started(
    folder: Path, sizes: Sizes, against: str | None, say: Say
) -> AsyncIterator[_Bench]:
    async with AsyncExitStack() as closing:
        client = await closing.enter_async_context(httpx.AsyncClient(trust_env=False))
        session = await closing.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        )
        reports = await closing.enter_async_context(Reports(folder / "reports.sock"))
        say(f"storing {sizes.stored:,} finished runs")
        await fill(database(folder, "stored"), sizes.stored)
        parts = {name: engine_part(name, folder, client) for name in ("engine", "stored")}
        urls = {name: part.spec.url for name, part in parts.items()}
        if against:
            urls["against"] = against.rstrip("/")
        app = app_part(urls, reports.path, folder, sizes.workers, client)
        for part in (*parts.values(), app):
            closing.push_async_callback(part.stop)
            await part.start()
        engines = {name: Engine(name, url, session, reports) for name, url in urls.items()}
        for engine in engines.values():
            await engine.register(app.spec.url)
        caller = Client(MAX_ANSWER_BYTES, CALL_TIMEOUT_S)
        closing.callback(caller.close)
        floor = Floor(app.spec.url, caller, FLOOR_AT_ONCE)
        yield _Bench(folder, app, parts["engine"], parts["stored"], engines, floor)


def _memory_mb(part: Part) -> float:
    return group_memory_mb({part.pid} if part.pid else set())


def _cpu_s(part: Part) -> float:
    return group_cpu_s({part.pid} if part.pid else set())
