"""Kills of the Convex engine while clients write, watch and schedule."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx

from evals.figures import Figure, figure
from harness.local.convex import ROOM, convex_command, script_command
from harness.local.part import Part, PartSpec
from harness.local.ports import free_port
from loadtest.chaos.convex.kept import Kept, look_up
from loadtest.chaos.convex.seen import SOCKET, Seen, read
from loadtest.chaos.convex.verdict import Verdict, judge
from loadtest.chaos.kills import Killed, Victim, carry_out, plan, recoveries_ms
from loadtest.histogram import percentiles

HOST = "127.0.0.1"
PROJECT = ROOM / "chaos"
QUIET_S = 60.0  # clients and jobs that have not ended so long after the last kill never will
LOOK_S = 0.5


async def run(
    folder: Path, *, kills: int, seed: int, killed: Callable[[], None]
) -> tuple[dict[str, Figure], bool]:
    """Kill under load and count.

    Args:
        folder: for the database, what the clients were told, and the processes' logs.
        kills: how many.
        seed: of their instants, and of the operations.
        killed: called after each.

    Returns:
        The figures, and whether an invariant is broken.

    Raises:
        HarnessError: a process did not start again.
    """
    seen_file = folder / "seen.jsonl"
    key = secrets.token_hex(16)
    async with AsyncExitStack() as closing:
        client = await closing.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        load_url = f"http://{HOST}:{free_port()}"
        engine = _engine(folder, key, load_url, client)
        load = _load(folder, engine.spec.url, load_url, seen_file, seed, client)
        for part in (engine, load):
            closing.push_async_callback(part.stop)
            await part.start()
        victims = {"engine": Victim(engine)}
        done = await carry_out(plan(kills, seed, [("engine",)]), victims, killed)
        with suppress(httpx.TimeoutException):
            await client.post(f"{load_url}/stop", timeout=QUIET_S)
        kept = await _settled(engine.spec.url, key)
        await load.stop()
        crashes = engine.restarts + load.restarts
    seen = read(seen_file)
    verdict = judge(seen, kept, done[-1].at)
    return _figures(done, seen, kept, verdict, crashes), verdict.broken or crashes > 0


async def _settled(engine_url: str, key: str) -> Kept:
    """What is kept once all jobs have ended and the cron job ran again, or have had their time."""
    began = time.time()
    headers = {"authorization": f"Convex {key}"}
    async with httpx.AsyncClient(
        base_url=engine_url, headers=headers, trust_env=False, timeout=60
    ) as client:
        while True:
            kept = await look_up(client)
            ticked = any(tick["_creationTime"] / 1000 > began for tick in kept.ticks)
            if (kept.settled and ticked) or time.time() - began > QUIET_S:
                return kept
            await asyncio.sleep(LOOK_S)


def _figures(
    kills: Sequence[Killed], seen: Seen, kept: Kept, verdict: Verdict, crashes: int
) -> dict[str, Figure]:
    acked = len(seen.acked)
    jobs = len(kept.jobs)
    failed = sum(job["state"]["kind"] == "failed" for job in kept.jobs)
    shown = sum(map(len, seen.shown.values()))
    p50, p95 = percentiles(recovered := recoveries_ms(seen.acked.values(), kills), 50, 95)
    return {
        "kills": figure(len(kills), ""),
        "mutations_sent": figure(len(seen.sent), ""),
        "mutations_acked": figure(acked, ""),
        "socket_across_kills": figure(_across(seen, kills), "mutations"),
        "http_done_unanswered": figure(_done_unanswered(seen, kept), "mutations"),
        "lost": figure(verdict.lost, "mutations", acked),
        "duplicated": figure(verdict.duplicated, "mutations", acked),
        "torn": figure(verdict.torn, "", acked),
        "untrue_pushes": figure(verdict.untrue, "", shown),
        "stuck": figure(verdict.stuck, "mutations"),
        "refused": figure(verdict.refused, "mutations"),
        "scheduled": figure(jobs, "functions"),
        "scheduled_failed": figure(failed, "actions"),
        "scheduled_lost": figure(verdict.scheduled_lost, "functions", jobs),
        "scheduled_duplicated": figure(verdict.scheduled_duplicated, "functions", jobs),
        "crashes": figure(crashes, "processes"),
        "recovery_p50_ms": figure(p50, "ms", len(recovered)),
        "recovery_p95_ms": figure(p95, "ms", len(recovered)),
    }


def _across(seen: Seen, kills: Sequence[Killed]) -> int:
    """Mutations over a WebSocket that a kill fell between sending and answer of."""
    spans = [(seen.sent[key], at) for key, at in seen.acked.items() if key.startswith(SOCKET)]
    return sum(any(sent < kill.at < at for kill in kills) for sent, at in spans)


def _done_unanswered(seen: Seen, kept: Kept) -> int:
    """Mutations over HTTP that were done, and that nobody could be told of."""
    done = {operation["key"] for operation in kept.operations}
    return sum(not key.startswith(SOCKET) for key in done - seen.acked.keys())


def _engine(folder: Path, key: str, load_url: str, client: httpx.AsyncClient) -> Part:
    port = free_port()
    command = convex_command(folder / "convex.db", port, PROJECT / "functions")
    env = {"CONVEX_ADMIN_KEY": key, "CHAOS_WITNESS": load_url}

    async def tell() -> None:
        with suppress(httpx.TransportError):  # before the load has begun
            await client.post(f"{load_url}/up")

    spec = PartSpec("engine", command, f"http://{HOST}:{port}", "/version", env, when_ready=tell)
    return Part(spec, os.environ, folder / "engine.log", client)


def _load(
    folder: Path, engine_url: str, url: str, seen: Path, seed: int, client: httpx.AsyncClient
) -> Part:
    env = {
        "CHAOS_ENGINE": engine_url,
        "CHAOS_SEEN": str(seen),
        "CHAOS_PORT": url.rpartition(":")[2],
        "CHAOS_SEED": str(seed),
    }
    command = script_command("chaos/load.ts")
    spec = PartSpec("load", command, url, "/healthz", env)
    return Part(spec, os.environ, folder / "load.log", client)
