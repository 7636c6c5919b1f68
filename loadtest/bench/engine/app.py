"""The app whose functions are run: five empty steps, a sleep, a wait; served once for each engine.

It reports to the bench over a Unix socket when a function returns, so that every engine, and none,
is heard the same way.
"""

import asyncio
import json
import logging
import os
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import inngest
import orjson
from fastapi import FastAPI

from harness.jobs.shortcut import Shortcut

with warnings.catch_warnings():
    # The SDK's own models still use a form that pydantic deprecates.
    warnings.simplefilter("ignore")
    import inngest.fast_api

APP_ID = "bench"
STEPS = 5
RUN, SLEEP, WAIT, ANSWER = "bench/run", "bench/sleep", "bench/wait", "bench/answer"
WAIT_TIMEOUT_MS = 3_600_000
ENGINES_ENV = "BENCH_ENGINES"  # JSON: each engine's name and address
REPORTS_ENV = "BENCH_REPORTS"  # path of the bench's Unix socket


def serve_path(engine: str) -> str:
    """Where the app is served for an engine."""
    return f"/api/{engine}"


class Reporter:
    """Tells the bench what happened, a line each."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, path: str) -> None:
        """Reach the bench."""
        _, self._writer = await asyncio.open_unix_connection(path)

    def tell(self, key: str, *marks: int) -> None:
        """Report `key` with times in nanoseconds since the epoch."""
        if self._writer:
            self._writer.write(orjson.dumps([key, *marks]) + b"\n")


def create() -> FastAPI:
    """The app of the process's environment, for `uvicorn --factory`."""
    reporter = Reporter()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await reporter.connect(os.environ[REPORTS_ENV])
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    engines = json.loads(os.environ[ENGINES_ENV])
    app.add_middleware(Shortcut, paths=[serve_path(name) for name in engines])
    for name, url in engines.items():
        client = _client(url)
        functions = [_steps(client, reporter), _sleep(client, reporter), _wait(client, reporter)]
        inngest.fast_api.serve(app, client, functions, serve_path=serve_path(name))
    return app


def _client(url: str) -> inngest.Inngest:
    return inngest.Inngest(
        app_id=APP_ID,
        api_base_url=url,
        event_api_base_url=url,
        is_production=False,
        logger=logging.getLogger("bench-app"),
    )


def _steps(client: inngest.Inngest, reporter: Reporter) -> inngest.Function[Any]:
    @client.create_function(fn_id="steps", trigger=inngest.TriggerEvent(event=RUN))
    async def steps(ctx: inngest.Context) -> None:
        async def empty() -> int:
            return time.time_ns()

        marks = [await ctx.step.run(f"step-{number}", empty) for number in range(STEPS)]
        reporter.tell(str(ctx.event.data["key"]), *marks)

    return steps


def _sleep(client: inngest.Inngest, reporter: Reporter) -> inngest.Function[Any]:
    @client.create_function(fn_id="sleep", trigger=inngest.TriggerEvent(event=SLEEP))
    async def sleep(ctx: inngest.Context) -> None:
        until_ms = int(str(ctx.event.data["until_ms"]))
        await ctx.step.sleep_until("nap", datetime.fromtimestamp(until_ms / 1000, UTC))
        reporter.tell(str(ctx.event.data["key"]), time.time_ns())

    return sleep


def _wait(client: inngest.Inngest, reporter: Reporter) -> inngest.Function[Any]:
    @client.create_function(fn_id="wait", trigger=inngest.TriggerEvent(event=WAIT))
    async def wait(ctx: inngest.Context) -> None:
        key = str(ctx.event.data["key"])
        reporter.tell(f"{key}:asked")
        await ctx.step.wait_for_event(
            "answer",
            event=ANSWER,
            if_exp="async.data.key == event.data.key",
            timeout=WAIT_TIMEOUT_MS,
        )
        reporter.tell(key, time.time_ns())

    return wait
