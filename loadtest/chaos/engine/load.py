"""The load: a number of runs is kept open, each started by an event that is sent until accepted."""

import asyncio
import secrets
import time
from base64 import b64encode
from dataclasses import dataclass, field
from itertools import cycle

import httpx

from loadtest.chaos.engine.app import ANSWER, KINDS
from loadtest.chaos.engine.witness import Reader, Seen, Told

OPEN = 24
LOOK_S = 0.05
RESEND_S = 0.05
ANSWER_EVERY_S = 0.5
QUIET_S = 60.0  # an engine that ends no run for so long has lost the ones that are left


@dataclass
class Accepted:
    """An event that the engine said it has.

    Attributes:
        key: in its data; its id too, in every other one.
        found_by: the id that the engine knows it by.
    """

    key: str
    kind: str
    found_by: str
    answered_at: float = field(default_factory=time.monotonic)


class Load:
    """Keeps runs going until it is told to stop.

    Args:
        engine_url: takes the events.
        reader: of what the app saw.
        client: sends.
    """

    def __init__(self, engine_url: str, reader: Reader, client: httpx.AsyncClient) -> None:
        self._url = f"{engine_url}/e/chaos"
        self._reader = reader
        self._client = client
        self._open: dict[str, Accepted] = {}
        self._stopping = False
        self._kinds = cycle(KINDS)
        self.accepted: list[Accepted] = []
        self.seen: list[Seen] = []
        self.ended = 0

    async def run(self) -> None:
        """Start runs, answer those that wait, until all have ended after `stop`."""
        last_end = time.monotonic()
        while not self._stopping or (self._open and time.monotonic() - last_end < QUIET_S):
            if self._look():
                last_end = time.monotonic()
            missing = 0 if self._stopping else OPEN - len(self._open)
            await asyncio.gather(*(self._start(next(self._kinds)) for _ in range(missing)))
            await self._answer()
            await asyncio.sleep(LOOK_S)
        self._look()

    def stop(self) -> None:
        """Start no more runs."""
        self._stopping = True

    def _look(self) -> int:
        """Take in what the app saw since the last time; answers how many runs' ends it was told."""
        before = self.ended
        for seen in self._reader.news():
            self.seen.append(seen)
            if isinstance(seen, Told) and seen.key in self._open:
                del self._open[seen.key]
                self.ended += 1
        return self.ended - before

    async def _start(self, kind: str) -> None:
        key = secrets.token_hex(12)
        chosen = len(self.accepted) % 2 == 0
        seed = f"{time.time_ns() // 1_000_000},{b64encode(secrets.token_bytes(10)).decode()}"
        event: dict[str, object] = {"name": f"chaos/{kind}", "data": {"key": key}}
        internal = await self._send(event | ({"id": key} if chosen else {}), seed)
        accepted = Accepted(key, kind, key if chosen else internal)
        self._open[key] = accepted
        self.accepted.append(accepted)

    async def _answer(self) -> None:
        now = time.monotonic()
        for waiting in list(self._open.values()):
            if waiting.kind == "waits" and now - waiting.answered_at > ANSWER_EVERY_S:
                waiting.answered_at = now
                await self._send({"name": ANSWER, "data": {"key": waiting.key}}, None)

    async def _send(self, event: dict[str, object], seed: str | None) -> str:
        """Send until it is accepted, as the SDK does; the internal id."""
        headers = {"x-inngest-event-id-seed": seed} if seed else {}
        while True:
            try:
                answer = await self._client.post(self._url, json=event, headers=headers)
            except httpx.HTTPError:
                await asyncio.sleep(RESEND_S)
                continue
            answer.raise_for_status()
            return str(answer.json()["ids"][0])
