"""Making apps register themselves: a PUT to an app's serve address, as the real server sends."""

import asyncio
import logging

from harness.local.inngest import backoff
from harness.local.inngest.connection import HttpError, Unreachable
from harness.local.inngest.executor import Executor

log = logging.getLogger(__name__)


class SyncError(Exception):
    """An app that did not register; the text says why."""


class Syncer:
    """Asks apps to register.

    Args:
        executor: has the connections and the keys.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._tasks: set[asyncio.Task[None]] = set()

    async def sync(self, url: str) -> None:
        """Make the app at `url` register now.

        Raises:
            SyncError: it cannot be reached, is no Inngest app, or its registration was refused.
        """
        try:
            problem = await self._executor.sync(url)
        except HttpError as error:
            raise SyncError(f"{url} {error}") from None
        if problem:
            raise SyncError(problem)

    def sync_when_up(self, url: str) -> None:
        """Make the app at `url` register as soon as something listens there."""
        task = asyncio.create_task(self._sync_when_up(url))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _sync_when_up(self, url: str) -> None:
        refused = 0
        while True:
            try:
                problem = await self._executor.sync(url)
            except Unreachable:
                await asyncio.sleep(backoff.refused_ms(refused) / 1000)
                refused += 1
                continue
            except HttpError as error:
                problem = f"{url} {error}"
            if problem:
                log.error("%s", problem)
            return
