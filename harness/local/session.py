"""Finds the pipeline that a command is to talk to, or starts a private one for it."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.local.environment import URL_VARIABLES, default_url, local_parts
from harness.local.supervisor import Stack, running_settings
from harness.settings import Settings, get_settings


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that takes messages.

    Attributes:
        settings: how to reach it.
        origin: in words, whose it is.
    """

    settings: Settings
    origin: str


def find_pipeline() -> Pipeline | None:
    """The stack that runs in HARNESS_HOME, or the API that HARNESS_API_URL names elsewhere."""
    settings = get_settings()
    running = running_settings(settings.home)
    if running is not None:
        return Pipeline(running, f"the stack running in {settings.home}")
    named = os.environ.get(URL_VARIABLES["api"], default_url("api"))
    if named != default_url("api"):
        return Pipeline(settings, f"the API at {named}")
    return None


@asynccontextmanager
async def services_or_private(
    parts: set[str], say: Callable[[str], None]
) -> AsyncGenerator[Settings, None]:
    """The settings with which some services answer: those of the running stack or, where none runs,
    of ones that are started over the home's data and end with the command.

    Args:
        parts: the services; one that the environment places elsewhere is used there.
        say: told what is started.
    """
    settings = get_settings()
    running = running_settings(settings.home)
    private = parts & set(local_parts(os.environ))
    if running is not None or not private:
        yield running or settings
        return
    say(f"no stack is running; starting {' and '.join(sorted(private))} for this command")
    async with Stack(settings.home, parts=private) as stack:
        yield stack.settings


@asynccontextmanager
async def pipeline_or_private() -> AsyncGenerator[Pipeline, None]:
    """The pipeline that is there, or else a stack on free ports that ends with the command.

    Raises:
        HarnessError: a part of the private stack does not start.
    """
    found = find_pipeline()
    if found is not None:
        yield found
        return
    home = get_settings().home
    async with Stack(home) as stack:
        yield Pipeline(stack.settings, f"a private stack in {home}")
