"""Waiting for events."""

import datetime

import inngest

MINUTE = datetime.timedelta(minutes=1)


def waiting_function(local, if_exp="async.data.key == event.data.key", timeout=MINUTE):
    @local.function("waiter", "test/go", retries=0)
    async def waiter(ctx):
        found = await ctx.step.wait_for_event(
            "answer", event="test/answer", if_exp=if_exp, timeout=timeout
        )
        return None if found is None else {"id": found.id, "data": found.data}

    return waiter


async def test_a_wait_ends_with_the_event_that_matches_and_not_with_others(local):
    waiting_function(local)
    await local.serve()
    event = await local.send("test/go", {"key": "a"})
    await local.waiting(event, "wait")
    await local.send("test/answer", {"key": "b"}, id="wrong")
    await local.send("test/other", {"key": "a"}, id="other")
    await local.send("test/answer", {"key": "a", "n": 1}, id="right")
    run = await local.ended(event)
    assert run["output"] == {"id": "right", "data": {"key": "a", "n": 1}}


async def test_a_wait_that_times_out_gives_none(local):
    waiting_function(local, timeout=1000)
    await local.serve()
    assert (await local.run("test/go", {"key": "a"}))["output"] is None


async def test_an_event_from_before_the_wait_is_not_matched(local):
    waiting_function(local, timeout=1000)
    await local.serve()
    await local.send("test/answer", {"key": "a"})
    assert (await local.run("test/go", {"key": "a"}))["output"] is None


async def test_one_event_ends_every_wait_it_matches(local):
    waiting_function(local)
    await local.serve()
    events = [await local.send("test/go", {"key": "a"}) for _ in range(3)]
    for event in events:
        await local.waiting(event, "wait")
    await local.send("test/answer", {"key": "a"}, id="all")
    assert [(await local.ended(event))["output"]["id"] for event in events] == ["all"] * 3


async def test_a_second_matching_event_changes_nothing(local):
    waiting_function(local)
    await local.serve()
    event = await local.send("test/go", {"key": "a"})
    await local.waiting(event, "wait")
    await local.client.send(
        [
            inngest.Event(name="test/answer", data={"key": "a"}, id=event_id)
            for event_id in ("first", "second")
        ]
    )
    assert (await local.ended(event))["output"]["id"] == "first"


async def test_an_expression_that_is_no_cel_fails_the_run_and_says_so(local):
    waiting_function(local, if_exp="async.data.key ===")
    await local.serve()
    run = await local.run("test/go", {"key": "a"})
    assert run["status"] == "Failed"
    assert "'async.data.key ===' is not CEL" in run["output"]["message"]


async def test_a_wait_without_an_expression_takes_any_event_of_its_name(local):
    waiting_function(local, if_exp=None)
    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "wait")
    await local.send("test/answer", id="any")
    assert (await local.ended(event))["output"]["id"] == "any"


async def test_a_step_planned_beside_a_wait_can_send_the_event_it_waits_for(local):
    """The wait is recorded before the step is called: the pipeline's lookup of an early reply."""

    @local.function("lookup", "test/go")
    async def lookup(ctx):
        async def look():
            key = ctx.event.data["key"]
            await local.client.send(inngest.Event(name="test/answer", data={"key": key}))
            return "sent"

        found, looked = await ctx.group.parallel(
            (
                lambda: ctx.step.wait_for_event(
                    "answer",
                    event="test/answer",
                    if_exp="async.data.key == event.data.key",
                    timeout=MINUTE,
                ),
                lambda: ctx.step.run("look", look),
            )
        )
        return [found.data["key"], looked]

    await local.serve()
    keys = [f"key {index}" for index in range(20)]
    events = [await local.send("test/go", {"key": key}) for key in keys]
    for event, key in zip(events, keys, strict=True):
        assert (await local.ended(event))["output"] == [key, "sent"]
