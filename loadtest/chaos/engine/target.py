"""Kills of the engine, of its app, and of both at once, while runs go on."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from evals.figures import Figure, figure
from harness.errors import HarnessError
from harness.local.part import Part, PartSpec
from harness.local.ports import free_port
from loadtest.chaos.engine.app import ENGINE_ENV, LOG_ENV, PATH
from loadtest.chaos.engine.load import Accepted, Load
from loadtest.chaos.engine.verdict import Kept, Verdict, judge, look_up
from loadtest.chaos.engine.witness import Call, Reader
from loadtest.chaos.kills import Victim, carry_out, plan, recoveries_ms
from loadtest.histogram import percentiles

HOST = "127.0.0.1"
BACKOFF_MS = "50"
VICTIMS = (("engine",), ("app",), ("engine", "app"))
LOOK_UPS_AT_ONCE = 8


async def run(
    folder: Path, *, kills: int, seed: int, killed: Callable[[], None]
) -> tuple[dict[str, Figure], bool]:
    """Kill under load and count.

    Args:
        folder: for the database, the app's log of what it saw, and the processes' logs.
        kills: how many.
        seed: of their instants and victims.
        killed: called after each.

    Returns:
        The figures, and whether an invariant is broken.

    Raises:
        HarnessError: a process did not start again.
    """
    seen_file = folder / "seen.jsonl"
    async with AsyncExitStack() as closing:
        client = await closing.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        engine = _engine(folder, client)
        app = _app(folder, engine.spec.url, seen_file, client)
        for part in (engine, app):
            closing.push_async_callback(part.stop)
            await part.start()
        await _register(app.spec.url, client)
        load = Load(engine.spec.url, Reader(seen_file), client)
        loading = asyncio.create_task(load.run())
        victims = {part.spec.name: Victim(part) for part in (engine, app)}
        try:
            done = await carry_out(plan(kills, seed, VICTIMS), victims, killed)
            load.stop()
            await loading
        finally:
            loading.cancel()
        verdict = await _judge(load, engine.spec.url)
        crashes = engine.restarts + app.restarts
    recovered = recoveries_ms((each.at for each in load.seen if isinstance(each, Call)), done)
    figures = _figures(kills, load, verdict, crashes, recovered)
    return figures, verdict.broken or crashes > 0


def _figures(
    kills: int, load: Load, verdict: Verdict, crashes: int, recovered: list[float]
) -> dict[str, Figure]:
    started = len(load.accepted)
    p50, p95 = percentiles(recovered, 50, 95)
    return {
        "kills": figure(kills, ""),
        "runs_started": figure(started, "runs"),
        "runs_completed": figure(started - verdict.lost - verdict.stuck, "runs"),
        "lost": figure(verdict.lost, "runs", started),
        "stuck": figure(verdict.stuck, "runs", started),
        "duplicated": figure(verdict.duplicated, "", started),
        "reran_effects": figure(verdict.reran, "steps", started),
        "early_timers": figure(verdict.early, "sleeps", started),
        "crashes": figure(crashes, "processes"),
        "recovery_p50_ms": figure(p50, "ms", len(recovered)),
        "recovery_p95_ms": figure(p95, "ms", len(recovered)),
    }


async def _judge(load: Load, engine_url: str) -> Verdict:
    limit = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
    async with httpx.AsyncClient(base_url=engine_url, trust_env=False, timeout=60) as client:

        async def ask(accepted: Accepted) -> Kept:
            async with limit:
                return await look_up(client, accepted)

        kept = await asyncio.gather(*(ask(accepted) for accepted in load.accepted))
    return judge(load.seen, kept)


async def _register(app_url: str, client: httpx.AsyncClient) -> None:
    answer = await client.put(f"{app_url}{PATH}", json={})
    if answer.status_code != httpx.codes.OK:
        raise HarnessError(f"the chaos app could not register: {answer.text[:200]}")


def _engine(folder: Path, client: httpx.AsyncClient) -> Part:
    port = free_port()
    command = [
        *(sys.executable, "-m", "harness.local.inngest", "--backoff-ms", BACKOFF_MS),
        *("--port", str(port), "--db", str(folder / "inngest.db")),
    ]
    spec = PartSpec("engine", command, f"http://{HOST}:{port}", "/health")
    return Part(spec, os.environ, folder / "engine.log", client)


def _app(folder: Path, engine_url: str, seen: Path, client: httpx.AsyncClient) -> Part:
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "--factory", "loadtest.chaos.engine.app:create"),
        *("--host", HOST, "--port", str(port), "--loop", "uvloop", "--http", "httptools"),
        *("--log-level", "warning"),
    ]
    env = {ENGINE_ENV: engine_url, LOG_ENV: str(seen)}
    spec = PartSpec("app", command, f"http://{HOST}:{port}", "/healthz", env)
    return Part(spec, os.environ, folder / "app.log", client)
