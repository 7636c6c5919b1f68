"""Runs over a throttle start later, evenly, and none is lost."""

import datetime

import inngest
import pytest

from harness.local.inngest.flow import cells
from harness.local.inngest.flow.cells import Cells, Rate
from harness.local.inngest.gate import Gate, Ticket
from harness.local.inngest.transaction import Transaction

SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)


def throttled_function(local, started, **options):
    @local.function("throttled", "test/go", throttle=inngest.Throttle(**options))
    async def throttled(ctx):
        started.append(ctx.event.data["n"])


async def send(local, numbers, key="k"):
    events = [inngest.Event(name="test/go", data={"n": n, "key": key}) for n in numbers]
    return await local.client.send(events)


async def test_as_many_start_at_once_as_limit_and_burst_say_and_the_rest_wait(local, until):
    started = []
    throttled_function(local, started, limit=2, burst=1, period=HOUR)
    await local.serve()
    events = await send(local, range(6))
    await until(lambda: len(started) == 3)
    for event in events[:3]:
        assert (await local.ended(event))["status"] == "Completed"
    for event in events[3:]:
        assert [run["status"] for run in await local.runs(event)] == ["Running"]
    assert sorted(started) == [0, 1, 2]


async def test_those_that_wait_start_in_order_when_the_throttle_opens(local):
    started = []
    throttled_function(local, started, limit=1, burst=0, period=SECOND)
    await local.serve()
    for event in await send(local, range(3)):
        await local.ended(event)
    assert started == [0, 1, 2]


async def test_each_key_has_a_throttle_of_its_own(local):
    started = []
    throttled_function(local, started, limit=1, burst=0, period=HOUR, key="event.data.key")
    await local.serve()
    for key in range(3):
        (event,) = await send(local, [key], key)
        await local.ended(event)
    assert started == [0, 1, 2]


async def test_a_throttle_and_what_it_holds_back_survive_a_kill(local):
    started = []
    throttled_function(local, started, limit=1, burst=0, period=HOUR)
    await local.serve(process=True)
    first, second = await send(local, [1, 2])
    await local.ended(first)
    local.kill_engine()
    local.spawn_engine()
    (third,) = await send(local, [3])
    found = [(await local.runs(event))[0]["status"] for event in (second, third)]
    assert found == ["Running"] * 2
    assert started == [1]


class Clock:
    def __init__(self, monkeypatch, *modules):
        self.us = 1_000_000_000_000_000
        for module in modules:
            monkeypatch.setattr(module, "steady_us", lambda: self.us)


@pytest.mark.parametrize(("limit", "capacity"), [(1, 1), (2, 3), (10, 2)])
def test_as_many_conform_at_once_as_there_is_capacity_and_then_one_an_interval(
    monkeypatch, limit, capacity
):
    clock, counted = Clock(monkeypatch, cells), Cells()
    rate = Rate.per(1000, limit, capacity)

    def conform():
        if counted.allowed_at("k", rate) > clock.us:
            return False
        counted.take("k", rate, Transaction())
        return True

    assert [conform() for _ in range(capacity + 2)] == [True] * capacity + [False] * 2
    for _ in range(3):
        clock.us = counted.allowed_at("k", rate)
        assert [conform(), conform()] == [True, False]


def test_a_clock_set_back_closes_no_key_for_longer_than_its_tolerance(monkeypatch):
    clock, counted = Clock(monkeypatch, cells), Cells()
    rate = Rate.per(1000, 1, 1)
    counted.take("k", rate, Transaction())
    clock.us -= 3_600_000_000
    assert counted.allowed_at("k", rate) - clock.us <= 1_000_000


def test_keys_that_limit_nothing_any_more_are_forgotten(monkeypatch):
    clock, counted, tx = Clock(monkeypatch, cells), Cells(), Transaction()
    for index in range(5000):
        clock.us += 10_000
        counted.take(f"k{index}", Rate.per(1000, 1, 1), tx)
    assert len(counted._arrivals) <= cells._SWEEP_LEAST + 1
    assert any("DELETE FROM limits" in sql for sql, _ in tx.statements)


async def test_a_throttle_takes_nothing_for_a_call_that_another_limit_holds_back():
    counted, entered = Cells(), []
    gate = Gate(counted)

    def enter(ticket):
        entered.append(ticket)
        counted.take(*ticket.throttle, Transaction())

    def ticket(number, rate):
        return Ticket((("one", 1),), (0, number), enter, lambda: True, ("k", rate))

    rate = Rate.per(3_600_000, 2, 2)
    tickets = [ticket(number, rate) for number in range(3)]
    for item in tickets:
        gate.queue(item)
    assert entered == tickets[:1]
    gate.leave(tickets[0])
    assert entered == tickets[:2]
    gate.leave(tickets[1])
    assert entered == tickets[:2], "the throttle is used up, though there is room"


async def test_the_gate_lets_in_by_rank_when_a_throttle_opens_and_skips_the_unwanted(until):
    counted, entered = Cells(), []
    gate = Gate(counted)
    rate = Rate.per(20, 1, 1)

    def enter(ticket):
        entered.append(ticket.rank[0])
        counted.take(*ticket.throttle, Transaction())

    for rank, wanted in ((0, True), (3, True), (1, False), (2, True)):
        gate.queue(Ticket((), (rank, 0), enter, lambda wanted=wanted: wanted, ("k", rate)))
    await until(lambda: len(entered) == 3)
    assert entered == [0, 2, 3]
