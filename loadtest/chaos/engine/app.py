"""The app whose functions run while it and the engine are killed.

Between them its functions use what an engine must remember: steps in a row and in parallel,
retries, sleeps, waits that time out and waits that are answered, invocations.
"""

import asyncio
import logging
import os
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import inngest
import orjson
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loadtest.chaos.engine.witness import Log

with warnings.catch_warnings():
    # The SDK's own models still use a form that pydantic deprecates.
    warnings.simplefilter("ignore")
    import inngest.fast_api

APP_ID = "chaos"
PATH = "/api/inngest"
KINDS = ("row", "parallel", "sleeps", "waits", "invokes")
ANSWER = "chaos/answer"
ENGINE_ENV, LOG_ENV = "CHAOS_ENGINE", "CHAOS_LOG"
RETRIES = 20  # a call that a kill breaks off is an attempt
STEP_S = 0.01
SLEEP_MS = 300
TIMEOUT_MS = 1_000  # the shortest that the SDK takes
ANSWER_TIMEOUT_MS = 3_600_000

_call: ContextVar[str] = ContextVar("call", default="")

Handler = Callable[[inngest.Context, "Steps"], Awaitable[None]]


class Receipts:
    """Notes each call, and what it says is done, before the SDK sees it."""

    def __init__(self, app: ASGIApp, log: Log) -> None:
        self._app, self._log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the engine died while it sent
                return
            body += message["body"]
            if not message.get("more_body"):
                break
        asked = orjson.loads(body)
        call = uuid.uuid4().hex
        _call.set(call)
        self._log.call(call, asked["ctx"]["run_id"], list(asked["steps"]))
        whole: list[Message] = [{"type": "http.request", "body": bytes(body)}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


class Steps:
    """Runs steps of one run and notes each.

    Args:
        log: where they are noted.
        ctx: the run.
    """

    def __init__(self, log: Log, ctx: inngest.Context) -> None:
        self._log, self._ctx = log, ctx

    async def run(self, name: str, *, fail_first: bool = False) -> None:
        """Run a step that takes a little; `fail_first` makes its first attempt fail."""

        async def work() -> None:
            self._log.ran(_call.get(), self._ctx.run_id, name)
            await asyncio.sleep(STEP_S)
            if fail_first and self._ctx.attempt == 0:
                raise RuntimeError("the first attempt fails")

        await self._ctx.step.run(name, work)


def create() -> Receipts:
    """The app of the process's environment, for `uvicorn --factory`."""
    log = Log(Path(os.environ[LOG_ENV]))
    url = os.environ[ENGINE_ENV]
    quiet = logging.getLogger("chaos-app")
    quiet.disabled = True  # its functions fail on purpose
    client = inngest.Inngest(
        app_id=APP_ID,
        api_base_url=url,
        event_api_base_url=url,
        is_production=False,
        logger=quiet,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    inngest.fast_api.serve(app, client, _functions(client, log), serve_path=PATH)
    return Receipts(app, log)


def _functions(client: inngest.Inngest, log: Log) -> list[inngest.Function[Any]]:
    def add(kind: str, handler: Handler) -> inngest.Function[Any]:
        trigger = inngest.TriggerEvent(event=f"chaos/{kind}")

        @client.create_function(fn_id=kind, trigger=trigger, retries=RETRIES)
        async def function(ctx: inngest.Context) -> str:
            await handler(ctx, Steps(log, ctx))
            return str(ctx.event.data["key"])

        return function

    child = add("child", _child)

    async def invokes(ctx: inngest.Context, steps: Steps) -> None:
        await steps.run("before")
        key = f"{ctx.event.data['key']}:child"
        await ctx.step.invoke("call", function=child, data={"key": key})
        await steps.run("after")

    return [
        add("row", _row),
        add("parallel", _parallel),
        add("sleeps", _sleeps),
        add("waits", _waits),
        add("invokes", invokes),
        child,
        _audit(client, log),
    ]


def _audit(client: inngest.Inngest, log: Log) -> inngest.Function[Any]:
    """Hears of every run's end, as the engine tells it."""
    trigger = inngest.TriggerEvent(
        event="inngest/function.finished",
        expression=f"event.data.function_id != '{APP_ID}-audit'",
    )

    @client.create_function(fn_id="audit", trigger=trigger, retries=RETRIES)
    async def audit(ctx: inngest.Context) -> None:
        data: Any = ctx.event.data
        log.told(ctx.event.id, data["run_id"], data["event"]["data"]["key"])

    return audit


async def _row(ctx: inngest.Context, steps: Steps) -> None:
    for number in range(5):
        await steps.run(f"step-{number}", fail_first=number == 2)


async def _parallel(ctx: inngest.Context, steps: Steps) -> None:
    await ctx.group.parallel(tuple(_branch(steps, number) for number in range(3)))
    await steps.run("after")


def _branch(steps: Steps, number: int) -> Callable[[], Awaitable[None]]:
    return lambda: steps.run(f"branch-{number}")


async def _sleeps(ctx: inngest.Context, steps: Steps) -> None:
    await steps.run("before")
    await ctx.step.sleep("nap", SLEEP_MS)
    await steps.run("after")
    await ctx.step.wait_for_event("nobody", event="chaos/never", timeout=TIMEOUT_MS)
    await steps.run("last")


async def _waits(ctx: inngest.Context, steps: Steps) -> None:
    await steps.run("before")
    await ctx.step.wait_for_event(
        "answer",
        event=ANSWER,
        if_exp="async.data.key == event.data.key",
        timeout=ANSWER_TIMEOUT_MS,
    )
    await steps.run("after")


async def _child(ctx: inngest.Context, steps: Steps) -> None:
    await steps.run("one")
    await steps.run("two")
