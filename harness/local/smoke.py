"""Sends one real message through whatever is configured and tells what each stage did."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import httpx

from harness.client import ChatClient, TokenSource
from harness.errors import HarnessError
from harness.local.session import Pipeline, pipeline_or_private
from harness.models import Status
from harness.settings import Settings
from harness.store import StoreError

_HTTP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Stage:
    """One stage of the message's way.

    Attributes:
        name: which.
        ok: whether it was reached.
        ms: since the message was sent; before that, how long the stage took.
        told: what happened, or what to look at.
    """

    name: str
    ok: bool
    ms: float
    told: str

    def line(self) -> str:
        """The stage for a terminal."""
        return f"{'ok  ' if self.ok else 'FAIL'} {self.name:<15} {self.ms:>8.0f} ms  {self.told}"

    def as_dict(self) -> dict[str, Any]:
        """The stage for JSON."""
        return asdict(self)


class _Stop(Exception):
    """A stage failed; what follows can't be reached."""


async def run_smoke(
    user_id: str,
    text: str,
    timeout_s: float,
    token: TokenSource | None,
    show: Callable[[Stage], None],
) -> list[Stage]:
    """Send a message and follow it to its end.

    Args:
        user_id: who sends.
        text: the message.
        timeout_s: how long its end is waited for.
        token: session tokens; None mints development ones.
        show: called with each stage as it is reached or fails.
    """
    smoke = _Smoke(show)
    try:
        async with pipeline_or_private() as pipeline:
            await smoke.run(pipeline, user_id, text, timeout_s, token)
    except _Stop:
        pass
    return smoke.stages


class _Smoke:
    def __init__(self, show: Callable[[Stage], None]) -> None:
        self._show = show
        self.stages: list[Stage] = []
        self._began = time.monotonic()

    async def run(
        self,
        pipeline: Pipeline,
        user_id: str,
        text: str,
        timeout_s: float,
        token: TokenSource | None,
    ) -> None:
        settings = pipeline.settings
        self._reached("pipeline", pipeline.origin)
        await self._ready(settings)
        async with ChatClient(settings, user_id, token=token) as client:
            await self._do("token", client.token(), lambda token: f"{len(token)} characters")
            thread_id = await self._do("thread", client.create_thread("Smoke test"), str)
            self._began = time.monotonic()
            ack = await self._do(
                "ack", client.send(thread_id, text), lambda ack: f"message {ack.message_key}"
            )
            self._reached("event accepted", f"event {ack.event_id} at {settings.inngest_base_url}")
            await self._follow(client, ack.message_key, settings, timeout_s)

    async def _ready(self, settings: Settings) -> None:
        """Ask the API what it reaches itself: another machine's reach may differ from ours."""
        began = time.monotonic()
        async with httpx.AsyncClient(trust_env=False, timeout=_HTTP_TIMEOUT_S) as client:
            try:
                answer = await client.get(f"{settings.api_url}/readyz")
                parts = answer.json()
            except (httpx.HTTPError, ValueError) as error:
                told = f"{settings.api_url}/readyz: {str(error) or type(error).__name__}"
                self._failed("api", f"{told}; set HARNESS_API_URL or run `harness up`", began)
        if not answer.is_success:
            down = ", ".join(name for name, up in parts.items() if name != "ready" and not up)
            self._failed("api", f"it does not reach {down}; see `harness doctor`", began)
        self._reached("api", f"{settings.api_url} reaches Convex and Inngest", began)

    async def _follow(
        self, client: ChatClient, key: str, settings: Settings, timeout_s: float
    ) -> None:
        waited = "run began"
        last = None
        try:
            async with asyncio.timeout(timeout_s), aclosing(client.follow(key)) as states:
                async for state in states:
                    last = state
                    if waited == "run began":
                        self._reached(waited, f"order {state.order} of its thread")
                        waited = "first delta"
                    if waited == "first delta" and state.text:
                        self._reached(waited, f"from {state.model}")
                        waited = "completed"
        except TimeoutError:
            self._failed(waited, f"not within {timeout_s:.0f} s; {_hint(waited, settings)}")
        except StoreError as error:
            self._failed(waited, f"{error}; see `harness doctor`")
        if last is None or last.status is not Status.COMPLETED:
            status = last.status if last else "unknown"
            reason = f": {last.error.message}" if last and last.error else ""
            self._failed("completed", f"the message is {status}{reason}")
        self._reached("completed", f"{len(last.content or last.text)} characters")

    async def _do(self, name: str, doing: Any, tell: Callable[[Any], str]) -> Any:
        began = time.monotonic()
        try:
            result = await doing
        except HarnessError as error:
            self._failed(name, str(error), began)
        self._reached(name, tell(result), began)
        return result

    def _reached(self, name: str, told: str, began: float | None = None) -> None:
        self._add(Stage(name, True, self._ms(began), told))

    def _failed(self, name: str, told: str, began: float | None = None) -> NoReturn:
        self._add(Stage(name, False, self._ms(began), told))
        raise _Stop

    def _ms(self, began: float | None) -> float:
        return (time.monotonic() - (self._began if began is None else began)) * 1000

    def _add(self, stage: Stage) -> None:
        self.stages.append(stage)
        self._show(stage)


def _hint(stage: str, settings: Settings) -> str:
    if stage == "run began":
        return (
            f"does Inngest at {settings.inngest_base_url} know the app, and does it reach the "
            f"worker at {settings.worker_url}/api/inngest?"
        )
    return "does the model answer? see `harness doctor` and the worker's log"
