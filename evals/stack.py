"""The services that an eval measures: those of the running stack, or private ones for its time."""

import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from harness.local.environment import local_parts, url_of
from harness.local.supervisor import Stack, running_settings
from harness.settings import Settings

MODEL_PARTS = {"simulated": "simulated", "local": "model"}  # of a stack, by who runs the model


@dataclass(frozen=True)
class Measured:
    """Where the measured services are, and what stands behind each, for the record.

    `private` says whether they run for this eval alone, so that it may do with them as it likes.
    """

    settings: Settings
    engines: dict[str, str]
    private: bool = True


@asynccontextmanager
async def measuring_stack(
    settings: Settings,
    parts: set[str],
    console: Console,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Measured]:
    """The running stack of this home, or a private one in a temporary folder that is stopped after.

    Args:
        settings: name the home that may have a running stack.
        parts: which services are needed; those that the environment places elsewhere are used
            there.
        console: told what is started.
        env: variables of a private stack.
    """
    running = running_settings(settings.home)
    if running is not None:
        yield Measured(running, {part: url_of(part, running) for part in sorted(parts)}, False)
        return
    private = parts & set(local_parts({**os.environ, **(env or {})}))
    if private:
        console.print(f"starting {' and '.join(sorted(private))} for this run")
    with tempfile.TemporaryDirectory(prefix="harness-eval-") as folder:
        async with Stack(Path(folder), parts=private, env=env) as stack:
            engines = {
                part: "local engine" if part in private else url_of(part, stack.settings)
                for part in sorted(parts)
            }
            yield Measured(stack.settings, engines)
