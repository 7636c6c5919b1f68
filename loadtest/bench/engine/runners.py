"""Who runs the app's functions: an engine, or nobody but the bench itself."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import orjson

from harness.errors import HarnessError
from harness.local.inngest.client import Client
from harness.local.inngest.connection import HttpError
from loadtest.bench.engine.app import APP_ID, RUN, serve_path
from loadtest.bench.engine.reports import Reports

EVENTS_A_REQUEST = 100
_HEADERS = {"content-type": "application/json", "x-inngest-server-kind": "dev"}


@dataclass(frozen=True)
class Ended:
    """One run of five steps.

    Attributes:
        ms: from before its event was sent to when its end was heard of.
        marks: when each step ran, in nanoseconds since the epoch.
    """

    ms: float
    marks: Sequence[int]

    @property
    def gaps_ms(self) -> list[float]:
        """From one step to the next."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        return [(after - before) / 1e6 for before, after in pairs]


class Runner(Protocol):
    """Runs the function of five steps."""

    name: str

    async def run(self) -> Ended:
        """Run it once."""
        ...

    async def burst(self, count: int) -> float:
        """Run it so many times at once; answers the seconds until all have ended."""
        ...


class Floor:
    """No engine: the SDK is called as fast as it answers, and nothing is kept.

    Args:
        app_url: of the app.
        client: the engine's own, so that it is the engine that makes the difference.
        at_once: how many runs of a burst are in progress at any time.
    """

    name = "floor"

    def __init__(self, app_url: str, client: Client, at_once: int) -> None:
        path = serve_path("engine")
        self._url = f"{app_url}{path}?fnId={APP_ID}-steps&stepId=step"
        self._client = client
        self._at_once = at_once

    async def run(self) -> Ended:
        """Call the function until it returns, each time with the steps done so far."""
        started = time.perf_counter()
        key = uuid.uuid4().hex
        event = {"name": RUN, "id": key, "ts": time.time_ns() // 1_000_000, "data": {"key": key}}
        steps: dict[str, Any] = {}
        while True:
            done = list(steps)
            context = {
                "run_id": key,
                "fn_id": f"{APP_ID}-steps",
                "env": "local",
                "step_id": "step",
                "attempt": 0,
                "disable_immediate_execution": False,
                "use_api": False,
                "stack": {"stack": done, "current": len(done)},
            }
            body = {
                "version": 1,
                "ctx": context,
                "event": event,
                "events": [event],
                "steps": steps,
                "use_api": False,
            }
            status, answer = await self._call(orjson.dumps(body))
            if status != 206:
                marks = [step["data"] for step in steps.values()]
                return Ended((time.perf_counter() - started) * 1000, marks)
            steps |= {item["id"]: {"data": item["data"]} for item in answer}

    async def burst(self, count: int) -> float:
        """Run it so many times, as many at once as the app is fastest with."""
        left = iter(range(count))

        async def work() -> None:
            for _ in left:
                await self.run()

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(min(count, self._at_once))))
        return time.perf_counter() - started

    async def _call(self, body: bytes) -> tuple[int, Any]:
        try:
            answer = await self._client.request("POST", self._url, body, _HEADERS)
        except HttpError as error:
            raise HarnessError(f"the bench's app at {self._url} {error}") from None
        if answer.status not in (200, 206):
            raise HarnessError(f"the bench's app answered {answer.status}: {answer.body[:200]!r}")
        return answer.status, orjson.loads(answer.body)


class Engine:
    """A server of Inngest's protocol.

    Args:
        name: under which the app is served for it.
        url: its address.
        reports: hears the app.
    """

    def __init__(
        self, name: str, url: str, session: aiohttp.ClientSession, reports: Reports
    ) -> None:
        self.name, self.url = name, url
        self.reports = reports
        self._session = session

    async def register(self, app_url: str) -> None:
        """Make the app register its functions.

        Raises:
            HarnessError: it could not.
        """
        async with self._session.put(f"{app_url}{serve_path(self.name)}", json={}) as answer:
            if answer.status != 200:
                told = (await answer.text())[:200]
                raise HarnessError(
                    f"the bench's app could not register with {self.url}: {told}",
                    "Is an Inngest server in development mode listening there?",
                )

    async def send(self, events: Sequence[dict[str, Any]]) -> None:
        """Have events accepted.

        Raises:
            HarnessError: they were not.
        """
        body = orjson.dumps(list(events))
        async with self._session.post(f"{self.url}/e/bench", data=body, headers=_HEADERS) as answer:
            if answer.status != 200:
                told = (await answer.text())[:200]
                raise HarnessError(f"{self.url} answered {answer.status} to an event: {told}")

    async def run(self) -> Ended:
        """Send an event and hear of its run's end."""
        started = time.perf_counter()
        key = uuid.uuid4().hex
        ended = self.reports.expect(key)
        await self.send([{"name": RUN, "data": {"key": key}}])
        marks = await ended
        return Ended((time.perf_counter() - started) * 1000, marks)

    async def burst(self, count: int) -> float:
        """Send so many events at once, a hundred a request, and hear of all their runs' ends."""
        keys = [uuid.uuid4().hex for _ in range(count)]
        ended = [self.reports.expect(key) for key in keys]
        started = time.perf_counter()
        await self.send_all([{"name": RUN, "data": {"key": key}} for key in keys])
        for each in ended:
            await each
        return time.perf_counter() - started

    async def send_all(self, events: Sequence[dict[str, Any]]) -> None:
        """Have many events accepted, some a request."""
        for first in range(0, len(events), EVENTS_A_REQUEST):
            await self.send(events[first : first + EVENTS_A_REQUEST])
