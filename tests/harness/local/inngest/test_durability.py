"""Nothing accepted is lost and nothing finished is done again, whatever is killed when."""

import asyncio
import sqlite3
import time
from collections import Counter

import inngest
import pytest

from harness.local.inngest import Engine, Options, _schema, recovery
from harness.local.inngest.journal import JournalError


async def test_a_run_goes_on_after_the_engine_was_killed_without_redoing_finished_steps(local):
    seen = Counter()

    @local.function("long", "test/go", retries=4)
    async def long(ctx):
        async def step(index):
            seen[index] += 1
            if index == 2 and seen[index] == 1:
                local.kill_engine()
            return index

        return [await ctx.step.run(f"s{index}", step, index) for index in range(5)]

    await local.serve(process=True)
    event = await local.send("test/go")
    await asyncio.to_thread(wait_for_kill, local)
    local.spawn_engine()
    assert (await local.ended(event))["output"] == [0, 1, 2, 3, 4]
    # The step in progress was never acknowledged, so it alone is done again.
    assert seen == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}


def wait_for_kill(local):
    deadline = time.monotonic() + 20
    while local.process is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def test_every_acknowledged_event_is_run_once_after_a_kill(local):
    seen = Counter()

    @local.function("counting", "test/go")
    async def counting(ctx):
        async def count():
            seen[ctx.event.data["n"]] += 1

        await ctx.step.run("count", count)
        return ctx.event.data["n"]

    await local.serve(process=True)
    local.stop_app()
    events = [await local.send("test/go", {"n": n}) for n in range(50)]
    local.kill_engine()
    local.start_app()
    local.spawn_engine()
    assert [(await local.ended(event))["output"] for event in events] == list(range(50))
    assert set(seen.values()) == {1}


async def test_sleeps_waits_and_retries_survive_a_kill(local):
    tries = Counter()

    @local.function("sleeps", "test/sleeps")
    async def sleeps(ctx):
        await ctx.step.sleep("nap", 1500)
        return "slept"

    @local.function("waits", "test/waits")
    async def waits(ctx):
        found = await ctx.step.wait_for_event(
            "answer",
            event="test/answer",
            if_exp="async.data.key == event.data.key",
            timeout=3_600_000,
        )
        return found.data["n"]

    @local.function("gives-up", "test/gives-up")
    async def gives_up(ctx):
        return await ctx.step.wait_for_event("never", event="test/never", timeout=1000)

    @local.function("retries", "test/retries", retries=1)
    async def retries(ctx):
        tries[ctx.attempt] += 1
        if ctx.attempt == 0:
            raise inngest.RetryAfterError("later", 1500)
        return ctx.attempt

    await local.serve(process=True)
    names = ("sleeps", "waits", "gives-up", "retries")
    events = [await local.send(f"test/{name}", {"key": "k"}) for name in names]
    for event, kind in zip(events, ("sleep", "wait", "wait", "discovery"), strict=True):
        await local.waiting(event, kind)
    local.kill_engine()
    local.spawn_engine()
    await local.send("test/answer", {"key": "k", "n": 5})
    outputs = [(await local.ended(event))["output"] for event in events]
    assert outputs == ["slept", 5, None, 1]
    assert tries == {0: 1, 1: 1}


async def test_planned_parallel_steps_survive_a_kill_and_finished_ones_do_too(local, until):
    seen = Counter()

    @local.function("parallel", "test/go")
    async def parallel(ctx):
        async def quick():
            seen["quick"] += 1

        async def slow():
            seen["slow"] += 1
            if seen["slow"] == 1:
                await asyncio.sleep(3600)

        await ctx.group.parallel(
            (lambda: ctx.step.run("quick", quick), lambda: ctx.step.run("slow", slow))
        )
        return "both"

    await local.serve(process=True)
    event = await local.send("test/go")
    run = await local.waiting(event, "step")
    await until(lambda: seen["slow"])
    await local.finished_step(run["run_id"])
    local.kill_engine()
    local.spawn_engine()
    assert (await local.ended(event))["output"] == "both"
    assert seen == {"quick": 1, "slow": 2}


async def test_an_invocation_survives_a_kill(local):
    @local.function("callee", "test/never")
    async def callee(ctx):
        await ctx.step.sleep("nap", 1000)
        return "returned"

    @local.function("caller", "test/go")
    async def caller(ctx):
        return await ctx.step.invoke("call", function=callee)

    await local.serve(process=True)
    event = await local.send("test/go")
    await local.waiting(event, "invoke")
    local.kill_engine()
    local.spawn_engine()
    assert (await local.ended(event))["output"] == "returned"


async def test_an_app_that_is_down_costs_no_attempt(local):
    seen = []

    @local.function("patient", "test/go", retries=0)
    async def patient(ctx):
        seen.append(ctx.attempt)
        return "ok"

    await local.serve()
    local.stop_app()
    event = await local.send("test/go")
    await asyncio.sleep(1)
    assert (await local.runs(event))[0]["status"] == "Running"
    local.start_app()
    assert (await local.ended(event))["output"] == "ok"
    assert seen == [0]


async def test_an_app_that_registers_again_is_called_at_once(local):
    @local.function("patient", "test/go", retries=0)
    async def patient(ctx):
        return "ok"

    await local.serve()
    local.stop_app()
    event = await local.send("test/go")
    await asyncio.sleep(0.5)
    local.start_app()
    await local.register()
    assert (await local.ended(event))["output"] == "ok"


async def test_a_connection_that_breaks_in_a_step_is_a_failed_attempt(local, until):
    seen = []

    @local.function("broken", "test/go", retries=1)
    async def broken(ctx):
        async def step():
            seen.append(ctx.attempt)
            if ctx.attempt == 0:
                await asyncio.sleep(3600)
            return ctx.attempt

        return await ctx.step.run("step", step)

    await local.serve()
    event = await local.send("test/go")
    await until(lambda: seen)
    local.stop_app()
    local.start_app()
    run = await local.ended(event)
    assert run["output"] == 1
    (failure,) = (await local.timeline(run["run_id"]))["attempts"]
    assert failure["attempt"] == 0


async def test_a_database_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "newer.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(JournalError, match="newer version of the Inngest engine"):
        Engine(Options(db=path), lambda error: None)


@pytest.mark.parametrize("version", range(1, _schema.SCHEMA_VERSION))
async def test_a_database_of_an_older_version_is_brought_up_to_this_one(local, version):
    scripts = [_schema.TABLES, *(_schema.UPGRADES[older] for older in range(1, version))]
    now = round(time.time() * 1000)
    with sqlite3.connect(local.db) as connection:
        connection.executescript(f"{' '.join(scripts)} PRAGMA user_version = {version};")
        connection.execute(
            "INSERT INTO events (internal_id, id, name, received_at, body)"
            " VALUES ('1', 'old', 'test/old', ?, '{}')",
            (now,),
        )
    connection.close()

    @local.function("once", "test/go", idempotency="event.data.key")
    async def once(ctx):
        return "done"

    await local.serve()
    assert (await local.run("test/go", {"key": 1}))["output"] == "done"
    (event,) = (await local.http.get("/v1/events?name=test/old")).json()["data"]
    assert event["internal_id"] == "1"


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "text.db"
    path.write_text("this is not a database, it is a text of some length\n" * 100)
    with pytest.raises(JournalError, match="cannot be used as the Inngest engine's database"):
        Engine(Options(db=path), lambda error: None)


def test_a_restart_reads_nothing_of_finished_runs():
    connection = sqlite3.connect(":memory:")
    connection.executescript(_schema.TABLES)
    for query in (recovery._UNFINISHED, recovery._STEPS, recovery._PENDING):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert [step for step in plan if "SCAN" in step] == ["SCAN r USING INDEX runs_unfinished"]
    connection.close()
