import asyncio
from contextlib import aclosing

import pytest

from harness.models import Usage
from harness.store import Store, StoreError, Subscriber
from harness.store.subscriptions import ADVANCE_AFTER

SOON = 20.0


async def within(awaitable):
    async with asyncio.timeout(SOON):
        return await awaitable


@pytest.fixture
async def streaming(store, user_id, sent):
    """A begun message and its first attempt."""
    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    attempt = await store.start_attempt(message.message_key, 0, "simulated")
    return message.message_key, attempt


async def test_a_reader_sees_the_text_grow_to_its_end(store, subscriber, streaming):
    key, attempt = streaming
    texts = []
    async with aclosing(subscriber.watch_message(key)) as states:
        await within(anext(states))
        for seq, piece in enumerate(["one ", "two ", "three"]):
            await store.append(key, attempt.attempt, seq, [piece])
            texts.append((await within(anext(states))).text)
        await store.complete(key, "one two three", "simulated", Usage(), 1.0, [])
        last = await within(anext(states))
        with pytest.raises(StopAsyncIteration):
            await within(anext(states))
    assert texts == ["one ", "one two ", "one two three"]
    assert (last.text, last.status) == ("one two three", "completed")


async def test_a_reader_waits_for_a_message_that_has_yet_to_begin(store, subscriber, user_id, sent):
    message = sent(await store.create_thread(user_id, "t"))
    async with aclosing(subscriber.watch_message(message.message_key)) as states:
        first = asyncio.ensure_future(anext(states))
        await store.begin(message, "run-1")
        assert (await within(first)).status == "processing"


async def test_the_prefix_is_not_read_again(store, subscriber, streaming):
    key, attempt = streaming
    pieces = [f"{number} " for number in range(10 * ADVANCE_AFTER)]
    longest = 0
    async with aclosing(subscriber.watch_message(key)) as states:
        await within(anext(states))
        for seq, piece in enumerate(pieces):
            await store.append(key, attempt.attempt, seq, [piece])
            longest = max(longest, *(len(query.value["deltas"]) for query in asked(subscriber)))
            text = ""
            while text != "".join(pieces[: seq + 1]):
                text = (await within(anext(states))).text
    assert ADVANCE_AFTER <= longest <= ADVANCE_AFTER + 1


def asked(subscriber: Subscriber):
    return [query for query in subscriber._wanted.values() if query.value is not None] or [EMPTY]


class EMPTY:
    value = {"deltas": []}


async def test_a_burst_longer_than_one_push_arrives_whole(store, subscriber, streaming):
    key, attempt = streaming
    pieces = [f"{number} " for number in range(700)]
    await store.append(key, attempt.attempt, 0, pieces)
    async with aclosing(subscriber.watch_message(key)) as states:
        text = ""
        while text != "".join(pieces):
            text = (await within(anext(states))).text


async def test_a_new_attempt_replaces_the_turns_text(store, subscriber, streaming):
    key, first = streaming
    await store.append(key, first.attempt, 0, ["wrong"])
    async with aclosing(subscriber.watch_message(key)) as states:
        before = (await within(anext(states))).text
        second = await store.start_attempt(key, 0, "simulated")
        between = (await within(anext(states))).text
        await store.append(key, second.attempt, second.seq, ["right"])
        after = (await within(anext(states))).text
    assert (before, between, after) == ("wrong", "", "right")


async def test_a_reader_survives_a_restart_of_convex(own_convex, user_id, sent, mint_for):
    async with (
        Store(own_convex.url, own_convex.admin_key) as store,
        Subscriber(own_convex.url, mint_for(own_convex, user_id)) as subscriber,
    ):
        message = sent(await store.create_thread(user_id, "t"))
        key = message.message_key
        await store.begin(message, "run-1")
        attempt = await store.start_attempt(key, 0, "simulated")
        await store.append(key, attempt.attempt, 0, ["before "])
        async with aclosing(subscriber.watch_message(key)) as states:
            assert (await within(anext(states))).text == "before "
            own_convex.kill()
            waiting = asyncio.ensure_future(anext(states))
            # The loop must stay free while Convex is away: the one who starts it may share it.
            await asyncio.to_thread(own_convex.start)
            await store.append(key, attempt.attempt, 1, ["after"])
            state = await within(waiting)
            while state.text != "before after":
                state = await within(anext(states))


async def test_a_watcher_is_not_woken_by_what_it_does_not_watch(
    store, subscriber, streaming, user_id, sent
):
    key, attempt = streaming
    other = sent(await store.create_thread(user_id, "another"))
    await store.begin(other, "run-2")
    elsewhere = await store.start_attempt(other.message_key, 0, "simulated")
    async with aclosing(subscriber.watch_message(key)) as states:
        await within(anext(states))
        for seq in range(5):
            await store.append(other.message_key, elsewhere.attempt, seq, ["noise"])
        await store.append(key, attempt.attempt, 0, ["signal"])
        assert (await within(anext(states))).text == "signal"


async def test_one_connection_serves_many_watches(store, subscriber, user_id, sent):
    thread = await store.create_thread(user_id, "t")
    messages = [sent(thread) for _ in range(20)]
    for message in messages:
        await store.begin(message, "run")

    async def follow(key: str) -> str:
        async with aclosing(subscriber.watch_message(key)) as states:
            async for state in states:
                last = state
        return last.text

    followers = [asyncio.ensure_future(follow(item.message_key)) for item in messages]
    for message in messages:
        await store.begin(message, "run")
        await store.complete(message.message_key, message.message_key, "m", Usage(), 1.0, [])
    assert await within(asyncio.gather(*followers)) == [item.message_key for item in messages]
    assert subscriber._task is None


async def test_tool_calls_are_pushed(store, subscriber, streaming, planned):
    key, _ = streaming
    async with aclosing(subscriber.watch_tool_calls(key)) as changes:
        assert await within(anext(changes)) == []
        call = planned(f"{key}-0")
        await store.record_calls(key, 0, [call])
        assert [item.status for item in await within(anext(changes))] == ["planned"]
        await store.start_call(call.call_id)
        assert [item.status for item in await within(anext(changes))] == ["running"]


async def test_somebody_elses_stream_never_begins(convex, store, streaming, other_user_id, mint):
    key, _ = streaming
    async with (
        Subscriber(convex.url, mint(other_user_id)) as stranger,
        aclosing(stranger.watch("messages:stream", {"messageKey": key, "after": -1})) as it,
    ):
        assert await within(anext(it)) is None


async def test_a_refused_token_ends_the_watch(convex):
    async with (
        Subscriber(convex.url, "not.a.token") as subscriber,
        aclosing(subscriber.watch_message("k")) as states,
    ):
        with pytest.raises(StoreError) as refused:
            await within(anext(states))
    assert refused.value.code == "UNAUTHENTICATED"


async def test_a_failing_query_reaches_its_watcher(convex):
    async with (
        Subscriber(convex.url, admin_key=convex.admin_key) as subscriber,
        aclosing(subscriber.watch("messages:nothing", {})) as values,
    ):
        with pytest.raises(StoreError):
            await within(anext(values))


async def test_a_token_is_renewed_before_it_ends(convex, store, user_id, sent, mint):
    renewed = asyncio.Event()
    minted = []

    async def source() -> str:
        minted.append(mint(user_id, ttl_s=21))
        if len(minted) == 2:
            renewed.set()
        return minted[-1]

    message = sent(await store.create_thread(user_id, "t"))
    await store.begin(message, "run-1")
    attempt = await store.start_attempt(message.message_key, 0, "simulated")
    async with (
        Subscriber(convex.url, source) as subscriber,
        aclosing(subscriber.watch_message(message.message_key)) as states,
    ):
        await within(anext(states))
        await within(renewed.wait())
        await store.append(message.message_key, attempt.attempt, 0, ["still here"])
        assert (await within(anext(states))).text == "still here"


async def test_flags_are_pushed_to_the_deployments_key(convex, store):
    async with (
        Subscriber(convex.url, admin_key=convex.admin_key) as subscriber,
        aclosing(subscriber.watch_flags()) as changes,
    ):
        await within(anext(changes))
        version = await store.set_flag("pushed", enabled=True, percentage=7)
        flags = {flag.key: flag for flag in await within(anext(changes))}
    assert (flags["pushed"].version, flags["pushed"].percentage) == (version, 7)
