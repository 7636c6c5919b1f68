from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tools.errors import ToolError
from harness.tools.moments import MOST, moment

NOW = datetime(2026, 3, 28, 17, 30, tzinfo=UTC)  # the clocks in Berlin change in the night


def at(text, zone="UTC", now=NOW):
    return moment(text, zone, now).astimezone(UTC).isoformat(timespec="minutes")[:16]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("18:30", "UTC", "2026-03-28T18:30"),
        ("17:30", "UTC", "2026-03-29T17:30"),
        ("9:00", "UTC", "2026-03-29T09:00"),
        ("18:45", "Berlin", "2026-03-28T17:45"),
        ("18:15", "Berlin", "2026-03-29T16:15"),
        ("07:00", "new york", "2026-03-29T11:00"),
        ("7:15 pm", "UTC", "2026-03-28T19:15"),
        ("12 am", "UTC", "2026-03-29T00:00"),
        ("12:05 p.m.", "UTC", "2026-03-29T12:05"),
        ("noon", "UTC", "2026-03-29T12:00"),
        ("Midnight", "UTC", "2026-03-29T00:00"),
        ("2026-04-01 09:00", "UTC", "2026-04-01T09:00"),
        ("2026-04-01T09:00", "Berlin", "2026-04-01T07:00"),
        ("2026-04-01T09:00+05:00", "Berlin", "2026-04-01T04:00"),
        ("2026-04-01T09:00Z", "Berlin", "2026-04-01T09:00"),
        (" 2026-04-01 ", "UTC", "2026-04-01T00:00"),
    ],
)
def test_a_time_is_the_next_one_that_it_can_mean(text, zone, expected):
    assert at(text, zone) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "12:61", "13 pm", "2026-13-01", "18:30+02:00"]
)
def test_what_is_no_time_is_named(text):
    with pytest.raises(ToolError, match="is no time; write it as"):
        moment(text, "UTC", NOW)


def test_what_is_past_is_refused():
    with pytest.raises(ToolError, match=r"is past: it is 2026-03-28 18:30"):
        moment("2026-03-28 18:29", "Berlin", NOW)


def test_what_is_too_far_away_is_refused():
    with pytest.raises(ToolError, match="more than 30 days away"):
        moment("2026-04-27 17:31", "UTC", NOW)
    moment("2026-04-27 17:30", "UTC", NOW)


def test_a_zone_that_is_none_is_named():
    with pytest.raises(ToolError, match="no time zone 'Atlantis'"):
        moment("18:30", "Atlantis", NOW)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    st.times(),
    st.sampled_from(["UTC", "Berlin", "New York", "Kolkata", "Lord Howe"]),
)
def test_a_time_of_day_lies_within_a_day_and_an_hour(now, wanted, zone):
    now = now.replace(tzinfo=UTC)
    found = moment(f"{wanted:%H:%M}", zone, now)
    assert timedelta(0) < found - now <= timedelta(hours=25)
    assert found - now < MOST
