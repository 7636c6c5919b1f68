"""Events over a rate limit, or with a key that was seen, start nothing."""

import datetime

import inngest

HOUR = datetime.timedelta(hours=1)


def limited_function(local, **options):
    @local.function("limited", "test/go", **options)
    async def limited(ctx):
        return ctx.event.data["key"]


async def send(local, keys):
    events = [inngest.Event(name="test/go", data={"key": key}) for key in keys]
    return await local.client.send(events)


async def started(local, events):
    return [bool(await local.runs(event)) for event in events]


async def test_what_is_over_the_limit_of_its_key_is_skipped(local):
    limit = inngest.RateLimit(limit=1, period=HOUR, key="event.data.key")
    limited_function(local, rate_limit=limit)
    await local.serve()
    events = await send(local, "aabab")
    assert await started(local, events) == [True, False, True, False, False]


async def test_a_tenth_of_the_limit_may_come_at_once(local):
    limited_function(local, rate_limit=inngest.RateLimit(limit=20, period=HOUR))
    await local.serve()
    assert await started(local, await send(local, "aaaaa")) == [True] * 3 + [False] * 2


async def test_a_key_that_is_false_exempts_an_event(local):
    limit = inngest.RateLimit(limit=1, period=HOUR, key="event.data.key == 'a'")
    limited_function(local, rate_limit=limit)
    await local.serve()
    assert await started(local, await send(local, "abab")) == [True, True, False, True]


async def test_an_idempotency_key_starts_one_run(local):
    limited_function(local, idempotency="event.data.key")
    await local.serve()
    assert await started(local, await send(local, "abab")) == [True, True, False, False]


async def test_keys_and_limits_are_known_after_a_restart(local):
    limited_function(local, idempotency="event.data.key")
    await local.serve()
    await send(local, "a")
    local.stop_engine()
    local.start_engine()
    assert await started(local, await send(local, "ab")) == [False, True]


async def test_what_is_skipped_is_told_with_its_event_and_counted_and_not_logged(local, caplog):
    caplog.set_level("INFO")
    limited_function(local, rate_limit=inngest.RateLimit(limit=1, period=HOUR))
    await local.serve()
    started, *over = await send(local, "aaa")
    assert (await local.http.get(f"/v1/events/{started}/skips")).json()["data"] == []
    for event in over:
        (skip,) = (await local.http.get(f"/v1/events/{event}/skips")).json()["data"]
        assert skip["function_id"] == "app-limited"
        assert "its rate limit is used up" in skip["reason"]
    assert (await local.http.get("/v1/events/nobody/skips")).status_code == 404
    assert (await local.http.get("/v1/apps")).json()["skipped_events"] == {"app-limited": 2}
    assert "starts no run" not in caplog.text


async def test_invoking_what_is_over_its_limit_is_an_error_the_caller_can_catch(local):
    @local.function("callee", "test/never", rate_limit=inngest.RateLimit(limit=1, period=HOUR))
    async def callee(ctx):
        return "returned"

    @local.function("caller", "test/go")
    async def caller(ctx):
        first = await ctx.step.invoke("first", function=callee)
        try:
            await ctx.step.invoke("second", function=callee)
        except inngest.StepError as error:
            return [first, error.message]

    await local.serve()
    first, message = (await local.run("test/go"))["output"]
    assert first == "returned"
    assert "app-callee was not started: its rate limit is used up" in message
