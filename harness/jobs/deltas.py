"""Streamed text on its way into Convex."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from harness.llm.errors import Stopped
from harness.store.client import Store
from harness.store.results import Attempt, Stop

T = TypeVar("T")
LOOK_FOR_STOP_S = 1.0  # while the model says nothing


class Fenced(Exception):
    """A newer attempt at the same turn has taken over; this one's text goes nowhere."""


class DeltaWriter:
    """Persists an attempt's text while it streams.

    The first piece goes out at once, what comes after it is gathered: there is one flush in flight,
    and the next begins `flush_s` after the last. The last deltas are kept before `run` returns, so
    the answer's end never overtakes its text.

    Args:
        store: where to.
        key: the message's key.
        attempt: the writer's fencing number and first sequence number.
        flush_s: time between two flushes, in seconds.
    """

    def __init__(self, store: Store, key: str, attempt: Attempt, flush_s: float) -> None:
        self._store = store
        self._key = key
        self._attempt = attempt.attempt
        self._seq = attempt.seq
        self._flush_s = flush_s
        self._text = ""
        self._written = asyncio.Event()
        self._closing = asyncio.Event()
        self.stop: Stop | None = None

    async def write(self, text: str) -> None:
        """Take the next piece of text; never waits for Convex."""
        self._text += text
        self._written.set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work that writes; every piece of its text is kept when this returns.

        Raises:
            Stopped: Convex says that the message is cancelled or finished; the work is cancelled.
            Fenced: a newer attempt took over; the work is cancelled.
        """
        working, flushing = asyncio.create_task(work), asyncio.create_task(self._flush())
        try:
            await asyncio.wait({working, flushing}, return_when=asyncio.FIRST_COMPLETED)
            if not flushing.done():
                result = working.result()
                self._closing.set()
                self._written.set()
            await flushing
            if self.stop == "fenced":
                raise Fenced("a newer attempt took over")
            if self.stop is not None:
                raise Stopped(self.stop)
            return result
        finally:
            for task in (working, flushing):
                task.cancel()
            await asyncio.gather(working, flushing, return_exceptions=True)

    async def _flush(self) -> None:
        while self.stop is None and not (self._closing.is_set() and not self._text):
            await _wait(self._written, LOOK_FOR_STOP_S)
            self._written.clear()
            text, self._text = self._text, ""
            if text or not self._closing.is_set():
                texts = [text] if text else []
                appended = await self._store.append(self._key, self._attempt, self._seq, texts)
                self._seq, self.stop = appended.next_seq, appended.stop
            await _wait(self._closing, self._flush_s)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
