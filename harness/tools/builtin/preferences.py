"""Remembering what the user wants from now on."""

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
    name = re.sub(r"[^\w.]+", "_", key.strip().lower()).strip("_.")
    if not name or name.startswith(permissions.PREFIX):
        # Else a model could let itself run what its user must approve.
        raise ToolError(f"{key!r} cannot be remembered by a tool; use another word for it")
    await context.store.set_preference(context.user_id, name, value.strip())
    return f"Remembered {name}: {value.strip()}"
