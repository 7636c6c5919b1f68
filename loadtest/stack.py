"""A stack of its own for a measurement that must not meet anything else."""

import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from harness.local.environment import local_parts
from harness.local.supervisor import Stack
from harness.settings import SIMULATED_MODEL

# A load must meet the pipeline's limits, not those of the request side.
NO_RATE_LIMIT = {"HARNESS_RATE_LIMIT": "1000000/second"}


@asynccontextmanager
async def private_stack(
    env: Mapping[str, str] | None = None, *, parts: set[str] | None = None
) -> AsyncIterator[Stack]:
    """A stack of its own with the simulated model and empty databases, stopped at the end.

    Args:
        env: variables for its parts.
        parts: which parts; default: all. What the environment places elsewhere is used there.
    """
    with tempfile.TemporaryDirectory(prefix="harness-load-") as folder:
        given = {"HARNESS_MODEL": SIMULATED_MODEL, **NO_RATE_LIMIT, **(env or {})}
        here = None if parts is None else parts & set(local_parts({**os.environ, **given}))
        async with Stack(Path(folder), parts=here, env=given) as stack:
            yield stack
