import asyncio
from collections.abc import AsyncIterator

import pytest
from convex import ConvexClient, ConvexError


def ranks(notes: list[dict[str, float]]) -> list[float]:
    return [note["rank"] for note in notes]


async def until_differs(subscription: AsyncIterator, value: object) -> object:
    """The next value that is another one: a subscription speaks at every transition."""
    async for latest in subscription:
        if latest != value:
            return latest
    raise AssertionError("the subscription ended")


async def test_a_subscription_gets_what_another_client_writes(engine, http_client, room):
    subscription = ConvexClient(engine.url).subscribe("notes:inRoom", {"room": room})
    assert await anext(subscription) == []
    await asyncio.to_thread(
        http_client.mutation, "notes:add", {"room": room, "rank": 1, "text": "a"}
    )
    assert ranks(await until_differs(subscription, [])) == [1.0]


async def test_two_subscriptions_of_a_client_both_get_their_own(engine, http_client, room):
    client = ConvexClient(engine.url)
    one = client.subscribe("notes:inRoom", {"room": f"{room} one"})
    two = client.subscribe("notes:inRoom", {"room": f"{room} two"})
    assert [await anext(one), await anext(two)] == [[], []]
    for name, rank in (("one", 1), ("two", 2)):
        note = {"room": f"{room} {name}", "rank": rank, "text": "a"}
        await asyncio.to_thread(http_client.mutation, "notes:add", note)
    assert ranks(await until_differs(one, [])) == [1.0]
    assert ranks(await until_differs(two, [])) == [2.0]


async def test_a_subscription_raises_the_convex_error_of_its_query(engine):
    subscription = ConvexClient(engine.url).subscribe("errors:inQuery", {"kind": "convex"})
    with pytest.raises(ConvexError) as raised:
        await anext(subscription)
    assert raised.value.data == {"code": "BAD", "count": 7.0}


async def test_a_subscription_follows_the_clients_token(engine, mint):
    client = ConvexClient(engine.url)
    subscription = client.subscribe("people:whoami")
    assert await anext(subscription) is None
    client.set_auth(mint("user_bob"))
    assert (await until_differs(subscription, None))["subject"] == "user_bob"


async def test_a_subscription_goes_on_after_the_engine_was_killed(own_engine, free_port):
    own_engine.stop()
    own_engine.port = free_port()
    own_engine.start()
    client = ConvexClient(own_engine.url)
    subscription = client.subscribe("notes:inRoom", {"room": "survives"})
    assert await anext(subscription) == []
    own_engine.stop(kill=True)
    own_engine.start()
    writer = ConvexClient(own_engine.url)
    note = {"room": "survives", "rank": 3, "text": "a"}
    await asyncio.to_thread(writer.mutation, "notes:add", note)
    assert ranks(await until_differs(subscription, [])) == [3.0]
