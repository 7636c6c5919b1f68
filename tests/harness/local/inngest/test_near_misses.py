"""Events that came too early for a wait: not matched, and told."""

import datetime

from harness.local.inngest import near_misses
from harness.local.inngest.matching import Listener
from harness.local.inngest.near_misses import RecentEvents
from harness.local.inngest.state import Event, Run

MINUTE = datetime.timedelta(minutes=1)


def waiting_function(local):
    @local.function("waiter", "test/go")
    async def waiter(ctx):
        found = await ctx.step.wait_for_event(
            "answer",
            event="test/answer",
            if_exp="async.data.key == event.data.key",
            timeout=MINUTE,
        )
        return {"id": found.id}


async def notes_of(local, run):
    return [note["text"] for note in (await local.timeline(run["run_id"]))["notes"]]


async def test_an_event_that_came_just_before_its_wait_is_told_on_the_run_and_in_the_log(
    local, caplog
):
    waiting_function(local)
    await local.serve()
    await local.send("test/answer", {"key": "b"}, id="another")
    await local.send("test/answer", {"key": "a"}, id="early")
    event = await local.send("test/go", {"key": "a"})
    run = await local.waiting(event, "wait")
    (told,) = await notes_of(local, run)
    assert told.startswith("event 'early' (test/answer) matches but came ")
    assert "before the wait was recorded" in told
    assert any(run["run_id"] in line and told in line for line in caplog.messages)
    await local.send("test/answer", {"key": "a"}, id="in time")
    assert (await local.ended(event))["output"]["id"] == "in time"


async def test_a_wait_that_missed_nothing_is_told_nothing(local):
    waiting_function(local)
    await local.serve()
    await local.send("test/answer", {"key": "b"})
    run = await local.waiting(await local.send("test/go", {"key": "a"}), "wait")
    assert await notes_of(local, run) == []


async def test_the_event_that_ended_a_runs_last_wait_is_not_one_that_its_next_wait_missed(local):
    @local.function("twice", "test/go")
    async def twice(ctx):
        for name in ("first", "second"):
            await ctx.step.wait_for_event(name, event="test/answer", timeout=MINUTE)

    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "wait")
    await local.send("test/answer")
    run = await local.waiting(event, "wait", "second")
    assert await notes_of(local, run) == []


def recent(count, name="test/a", body=b"{}"):
    events = RecentEvents()
    for index in range(count):
        events.add(Event(str(index), str(index), name, 0, 0, body, {"name": name}))
    return events


def listener(name):
    run = Run("run", "app-f", Event("0", "0", "test/go", 0, 0, b"{}", {}), 0)
    return Listener(run, name, "step", None, None)


def test_of_recent_events_only_so_many_and_so_much_is_remembered():
    assert len(recent(5000)._all) == near_misses._MOST_EVENTS
    assert recent(100, body=b"x" * 1024 * 1024)._bytes <= near_misses._MOST_BYTES


def test_an_event_from_before_the_window_is_no_near_miss(monkeypatch):
    events = recent(1)
    assert events.missed_by(listener("test/a"))
    assert not events.missed_by(listener("test/b"))
    later = near_misses.steady_us() + near_misses.WINDOW_S * 1_000_000 + 1
    monkeypatch.setattr(near_misses, "steady_us", lambda: later)
    assert not events.missed_by(listener("test/a"))
