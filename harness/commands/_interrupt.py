"""Runs a command's coroutine so that signals end it cleanly."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

INTERRUPTED = 130  # the exit code of a command that a signal ended: 128 + SIGINT

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(command: Coroutine[Any, Any, Result]) -> Result | None:
    """Run a command; the first signal cancels it, and it cleans up undisturbed by further ones.

    Returns:
        Its result; None when a signal ended it.
    """

    async def main() -> Result | None:
        task = asyncio.ensure_future(command)
        loop = asyncio.get_running_loop()
        asked = False

        def stop() -> None:
            nonlocal asked
            if not asked:
                asked = True
                task.cancel()

        for number in _SIGNALS:
            loop.add_signal_handler(number, stop)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(main())
