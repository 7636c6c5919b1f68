"""What time it is."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools.moments import zone_of
from harness.tools.registry import example, tool


@tool(
    effect=Effect.READ,
    examples=[
        example("What time is it in Tokyo?", zone="Tokyo"),
        example("What's today's date?", zone="UTC"),
        example("Tell me the current time", zone="UTC"),
        example("Which day of the week is it today?", zone="UTC"),
        example("How late is it in New York right now", zone="New York"),
        example("Is it still morning in Berlin?", zone="Berlin"),
        example("What year do we have?", zone="UTC"),
    ],
)
def current_time(
    zone: Annotated[
        str, Field(description="City or time zone, 'UTC' if none is named", max_length=60)
    ],
) -> str:
    """Tell the current date, weekday and time of day in a city or time zone."""
    place = zone_of(zone)
    return f"{datetime.now(UTC).astimezone(place):%A, %d %B %Y, %H:%M} ({place.key})"
