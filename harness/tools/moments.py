"""Times as people write them: a city's zone, a time of day, a date."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from harness.tools.errors import ToolError

MOST = timedelta(days=30)
_TWELVE_HOURS = re.compile(
    r"(?P<hour>1[0-2]|0?[1-9])(?::(?P<minute>\d\d))? ?(?P<half>[AaPp])\.?[Mm]\.?"
)
_WORDS = {"noon": "12:00", "midnight": "00:00"}


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name or a city's.

    Raises:
        ToolError: there is none.
    """
    wanted = name.strip().replace(" ", "_").casefold()
    names = sorted(available_timezones())
    whole = {each.casefold(): each for each in names}
    cities = {each.rpartition("/")[2].casefold(): each for each in names}
    found = whole.get(wanted) or cities.get(wanted)
    if found:
        return ZoneInfo(found)
    raise ToolError(f"there is no time zone {name!r}; name a city as 'Berlin', or 'UTC'")


def moment(text: str, zone: str, now: datetime) -> datetime:
    """The moment that a text means: the next time of day, or a date and time.

    Args:
        text: as `18:30` or `2030-05-01 09:00`, or with an offset as `2030-05-01T09:00+02:00`.
        zone: where that is the time, unless the text has an offset.
        now: what "next" counts from, with its zone.

    Returns:
        The moment in its zone.

    Raises:
        ToolError: it means no time, or one that is past or too far away.
    """
    place = zone_of(zone)
    found = _next_time(text.strip(), now.astimezone(place)) or _date_time(text.strip(), place)
    if found is None:
        raise ToolError(f"{text!r} is no time; write it as '18:30' or '2030-05-01 09:00'")
    if found <= now:
        raise ToolError(f"{text!r} ({zone}) is past: it is {now.astimezone(place):%Y-%m-%d %H:%M}")
    if found - now > MOST:
        raise ToolError(f"{text!r} is more than {MOST.days} days away; wait for an earlier time")
    return found


def _next_time(text: str, now: datetime) -> datetime | None:
    wanted = _time_of_day(text)
    if wanted is None:
        return None
    # Not 24 hours later but at that time of the next day, whatever the clocks do in between.
    for days in (0, 1):
        day = now.date() + timedelta(days=days)
        found = datetime.combine(day, wanted, now.tzinfo)
        if found.astimezone(UTC) > now.astimezone(UTC):
            return found
    return None


def _time_of_day(text: str) -> time | None:
    if found := _TWELVE_HOURS.fullmatch(text):
        hour = int(found["hour"]) % 12 + (12 if found["half"].lower() == "p" else 0)
        text = f"{hour:02}:{found['minute'] or '00'}"
    try:
        wanted = time.fromisoformat(_WORDS.get(text.lower(), text).zfill(5))
    except ValueError:
        return None
    return wanted if wanted.tzinfo is None else None


def _date_time(text: str, place: ZoneInfo) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=place)
