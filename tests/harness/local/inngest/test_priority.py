"""Of the runs that wait for a place, the urgent ones go first."""

import asyncio
import threading

import inngest
import pytest

from harness.local.inngest.flow.priority import parse_priority


async def test_a_run_with_a_larger_factor_is_let_in_before_those_queued_earlier(local, until):
    order, leave = [], threading.Event()

    @local.function(
        "ranked",
        "test/go",
        concurrency=[inngest.Concurrency(limit=1)],
        priority=inngest.Priority(run="event.data.factor"),
    )
    async def ranked(ctx):
        order.append(ctx.event.data["factor"])
        if ctx.event.data["factor"] == 600:
            await asyncio.to_thread(leave.wait, 20)

    await local.serve()
    first = await local.send("test/go", {"factor": 600})
    await until(lambda: order)
    events = [await local.send("test/go", {"factor": factor}) for factor in (0, 60, 0, 120)]
    leave.set()
    for event in (first, *events):
        await local.ended(event)
    assert order == [600, 120, 60, 0, 0]


async def test_a_negative_factor_puts_the_start_off(local):
    @local.function("late", "test/go", priority=inngest.Priority(run="event.data.factor"))
    async def late(ctx):
        return None

    await local.serve()
    event = await local.send("test/go", {"factor": -600})
    run = await local.waiting(event, "discovery")
    local.stop_engine()
    local.start_engine()
    (pending,) = (await local.timeline(run["run_id"]))["pending"]
    assert pending["due_at"] - pending["queued_at"] == 600_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(5, 5), (-5, -5), (9999, 600), (-9999, -600), (1.5, 0), ("5", 0), (None, 0), (True, 0)],
)
def test_a_factor_is_an_integer_within_ten_minutes(value, seconds):
    priority = parse_priority({"run": "event.data.factor"})
    assert priority.ahead_ms({"data": {"factor": value}}) == seconds * 1000
