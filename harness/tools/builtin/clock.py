"""What time it is."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from harness.models import Effect
from harness.tools.errors import ToolError
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
    ] = "UTC",
) -> str:
    """Tell the current date, weekday and time of day in a city or time zone."""
    name = _zone_name(zone)
    return f"{datetime.now(UTC).astimezone(ZoneInfo(name)):%A, %d %B %Y, %H:%M} ({name})"


def _zone_name(zone: str) -> str:
    wanted = zone.strip().replace(" ", "_").casefold()
    names = sorted(available_timezones())
    whole = {name.casefold(): name for name in names}
    cities = {name.rpartition("/")[2].casefold(): name for name in names}
    found = whole.get(wanted) or cities.get(wanted)
    if found:
        return found
    raise ToolError(f"there is no time zone {zone!r}; name a city as 'Berlin', or 'UTC'")
