"""Remembering what the user wants from now on, and forgetting it."""

import re
from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools import permissions
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError
from harness.tools.registry import example, tool


@tool(
    effect=Effect.WRITE,
    examples=[
        example("From now on call me Max.", key="name", value="Max"),
        example("Remember that I prefer short answers", key="answer_length", value="short"),
        example("Please always answer in French", key="language", value="French"),
        example("Keep in mind I'm a vegetarian", key="diet", value="vegetarian"),
        example("I'd like you to use metric units in future", key="units", value="metric"),
        example(
            "Make a note that my favourite colour is green", key="favourite_colour", value="green"
        ),
        example("Don't forget: I'm allergic to cats", key="allergies", value="cats"),
        example("Set my time zone to Lisbon", key="time_zone", value="Lisbon"),
    ],
)
async def remember_preference(
    key: Annotated[
        str, Field(description="What it is about, in one or two words", min_length=1, max_length=60)
    ],
    value: Annotated[str, Field(description="What the user wants", min_length=1, max_length=500)],
    *,
    context: ToolContext,
) -> str:
    """Remember a preference of the user, or a fact about them, for all later conversations."""
    name = _name(key)
    if not name or _is_permission(name):
        # Else a model could let itself run what its user must approve.
        raise ToolError(f"{key!r} cannot be remembered by a tool; use another word for it")
    await context.store.set_preference(context.user_id, name, value.strip())
    return f"Remembered {name}: {value.strip()}"


@tool(
    effect=Effect.READ,
    examples=[
        example("Which of my preferences do you know?"),
        example("List everything you were told to keep in mind about me"),
        example("Show my saved preferences"),
        example("What settings have you stored for me?"),
        example("What do you know about me?"),
        example("Tell me what you remember about how I like my answers"),
        example("Do you have my preferences saved?"),
    ],
)
async def list_preferences(*, context: ToolContext) -> list[str]:
    """List the preferences of the user, and the facts about them, that are remembered."""
    kept = await _remembered(context)
    return [f"{key}: {value}" for key, value in sorted(kept.items())] or ["(none)"]


@tool(
    effect=Effect.WRITE,
    examples=[
        example("Forget my nickname", key="name"),
        example("You no longer need to answer in French", key="language"),
        example("Remove the preference about short answers", key="answer_length"),
        example("Delete what you stored about my diet", key="diet"),
        example("Stop using metric units, drop that preference", key="units"),
        example("Please forget my time zone", key="time_zone"),
        example("Clear my favourite colour from your notes about me", key="favourite_colour"),
    ],
)
async def forget_preference(
    key: Annotated[
        str, Field(description="What it is about, in one or two words", min_length=1, max_length=60)
    ],
    *,
    context: ToolContext,
) -> str:
    """Forget a preference of the user, or a fact about them, that was remembered."""
    kept = await _remembered(context)
    found = [each for each in kept if _name(each) == _name(key)]
    if not found:
        there = ", ".join(sorted(kept)) or "none"
        raise ToolError(f"there is no preference {key!r}; there are: {there}")
    for each in found:
        await context.store.remove_preference(context.user_id, each)
    return f"Forgot {', '.join(found)}"


async def _remembered(context: ToolContext) -> dict[str, str]:
    kept = await context.store.preferences(context.user_id)
    return {key: value for key, value in kept.items() if not _is_permission(key)}


def _name(key: str) -> str:
    return re.sub(r"[^\w.]+", "_", key.strip().lower()).strip("_.")


def _is_permission(key: str) -> bool:
    return key.lower().startswith(permissions.PREFIX)
