"""Memory follows Convex, whatever happened to the message before."""

import asyncio

import pytest

from harness.context.indexing import BATCH, catch_up
from harness.context.memory import Memory
from harness.context.retriever import Scope
from harness.events import MessageSent, message_key
from harness.models import Failure, Usage
from harness.store import ImportedMessage

LONG = 60.0  # seconds; no test takes as many


@pytest.fixture
async def thread(store, user_id):
    return await store.create_thread(user_id, "A thread")


@pytest.fixture
def past(store):
    """Imports messages of the past into a thread."""

    async def add(thread_id, *contents):
        messages = [
            ImportedMessage(role="user", content=content, sent_at=number)
            for number, content in enumerate(contents)
        ]
        await store.import_messages(thread_id, messages)

    return add


@pytest.fixture
def begun(store, user_id):
    """Begins a message of `user_id` with a text."""

    async def begin(thread_id, text):
        key = message_key(user_id, thread_id, text)
        sent = MessageSent(
            message_key=key,
            thread_id=thread_id,
            user_id=user_id,
            text=text,
            model="simulated",
            sent_at=1,
        )
        await store.begin(sent, "run-1")
        return key

    return begin


@pytest.fixture
def follow(store, memory, user_id):
    """Lets memory catch up with a thread."""

    async def run(thread_id, within_s=LONG, memory=memory):
        return await catch_up(store, memory, user_id, thread_id, within_s)

    return run


@pytest.fixture
def remembered(memory, user_id):
    async def texts(memory=memory):
        hits = await memory.retrieve("kite", 1000, Scope(user_id=user_id))
        return sorted(hit.text for hit in hits)

    return texts


async def test_an_imported_past_is_caught_up(thread, past, follow, remembered):
    contents = [f"kite {number:03}" for number in range(2 * BATCH + 1)]
    await past(thread, *contents)
    assert await follow(thread)
    assert await remembered() == contents


async def test_what_failed_to_be_indexed_is_caught_up_by_the_next_run(
    thread, past, follow, remembered, word_embedder
):
    await past(thread, "kite one")
    embed, word_embedder.embed = word_embedder.embed, None  # any use raises
    with pytest.raises(TypeError):
        await follow(thread)
    word_embedder.embed = embed
    await past(thread, "kite two")
    assert await follow(thread)
    assert await remembered() == ["kite one", "kite two"]


async def test_failed_and_cancelled_messages_are_remembered_with_the_text_they_have(
    store, user_id, thread, begun, follow, remembered
):
    for number, text in enumerate(["half a kite", "a torn kite"]):
        key = await begun(thread, f"kite? {number}")
        attempt = await store.start_attempt(key, 0, "simulated")
        await store.append(key, attempt.attempt, attempt.seq, [text])
        if number:
            await store.cancel(key, user_id)
        else:
            await store.fail(key, Failure(code="boom", message="it broke"))
    assert await follow(thread)
    assert await remembered() == ["a torn kite", "half a kite", "kite? 0", "kite? 1"]


async def test_a_message_that_is_still_to_come_holds_the_mark(
    store, thread, begun, past, follow, remembered
):
    key = await begun(thread, "kite?")
    await past(thread, "kite of old")
    assert await follow(thread)
    assert await remembered() == ["kite?"]
    await store.complete(key, "a kite", "simulated", Usage(), 1.0, [])
    assert await follow(thread)
    assert await remembered() == ["a kite", "kite of old", "kite?"]


async def test_another_embedder_starts_from_nothing(
    chroma, store, user_id, thread, past, follow, memory, embedder, word_embedder, remembered
):
    await past(thread, "kite")
    await follow(thread)
    first, word_embedder.name = word_embedder.name, f"{word_embedder.name}-2"
    other = Memory(chroma, embedder)
    assert await other.count(user_id) == 0
    assert await follow(thread, memory=other)
    assert await remembered(other) == ["kite"]
    word_embedder.name = first
    assert await memory.count(user_id) == 1


async def test_what_is_remembered_costs_no_embedding_again(thread, past, follow, word_embedder):
    await past(thread, "kite one")
    await follow(thread)
    word_embedder.embedded.clear()
    await past(thread, "kite two")
    await follow(thread)
    await follow(thread)
    assert word_embedder.embedded == ["kite two"]


async def test_a_long_past_goes_on_where_the_time_was_over(thread, past, follow, memory, user_id):
    await past(thread, *(f"kite {number}" for number in range(2 * BATCH + 1)))
    assert not await follow(thread, within_s=0)
    assert await memory.count(user_id) == BATCH
    assert not await follow(thread, within_s=0)
    assert await follow(thread, within_s=0)
    assert await memory.count(user_id) == 2 * BATCH + 1


async def test_two_threads_of_one_user_are_followed_at_once(
    store, user_id, past, follow, remembered
):
    threads = [await store.create_thread(user_id, f"{number}") for number in range(4)]
    for number, thread_id in enumerate(threads):
        await past(thread_id, *(f"kite {number} {each}" for each in range(9)))
    assert all(await asyncio.gather(*map(follow, threads * 2)))
    assert len(await remembered()) == 36


@pytest.mark.parametrize("what", ["thread", "user"])
async def test_what_is_removed_while_it_is_indexed_is_forgotten_again(
    store, user_id, thread, past, follow, memory, what
):
    await past(thread, "kite")
    index = memory.index

    async def removed_meanwhile(*arguments):
        if what == "thread":
            await store.remove_thread(thread, user_id)
        else:
            await store.remove_user(user_id, 2**45)
        await index(*arguments)

    memory.index = removed_meanwhile
    assert await follow(thread)
    assert await memory.count(user_id) == 0


async def test_a_record_of_a_thread_that_is_gone_is_found_by_the_next_look(
    store, user_id, thread, follow, memory, new_message
):
    await memory.index(user_id, thread, [new_message("kite")])  # and its process died
    await store.remove_thread(thread, user_id)
    assert await follow(thread)
    assert await memory.count(user_id) == 0
