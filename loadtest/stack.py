"""The stack that a load goes to: the one that runs, or a private one for the run."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from harness.local.supervisor import Stack, running_settings
from harness.settings import SIMULATED_MODEL, Settings

# A load must meet the pipeline's limits, not those of the request side.
NO_RATE_LIMIT = {"HARNESS_RATE_LIMIT": "1000000/second"}


@asynccontextmanager
async def private_stack(env: Mapping[str, str] | None = None) -> AsyncIterator[Stack]:
    """A stack of its own with the simulated model and empty databases, stopped at the end.

    Args:
        env: variables for its parts.
    """
    with tempfile.TemporaryDirectory(prefix="harness-load-") as folder:
        given = {"HARNESS_MODEL": SIMULATED_MODEL, **NO_RATE_LIMIT, **(env or {})}
        async with Stack(Path(folder), env=given) as stack:
            yield stack


@asynccontextmanager
async def running_or_private(home: Path) -> AsyncIterator[tuple[Settings, str]]:
    """Settings of the stack that runs in a home, or of a private one, and which of the two it is.

    Args:
        home: the HARNESS_HOME where one may run.
    """
    running = running_settings(home)
    if running is not None:
        yield running, "the running stack"
        return
    async with private_stack() as stack:
        yield stack.settings, "a private stack"
