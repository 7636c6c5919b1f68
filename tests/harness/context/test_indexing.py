"""Memory follows Convex, whatever happened to the message before."""

import asyncio

import pytest

from harness.context.indexing import BATCH, catch_up, find_places, reindex
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


@pytest.fixture
def again(store, memory, user_id):
    """Re-indexes everything of `user_id`; answers what it did, and the progress it told."""

    async def run(memory=memory):
        told = []
        done = await reindex(store, memory, await find_places(store, user_id), told.append)
        return (done.embedded, done.known, done.threads), sum(told)

    return run


async def test_reindexing_fills_another_embedders_memory(
    chroma, store, user_id, thread, past, follow, again, embedder, word_embedder, remembered
):
    contents = [f"kite {number:03}" for number in range(BATCH + 9)]
    await past(thread, *contents)
    await past(await store.create_thread(user_id, "another"), "kite x", " ")
    await follow(thread)
    word_embedder.name += "-2"
    other = Memory(chroma, embedder)
    assert await again(other) == ((BATCH + 10, 0, 2), BATCH + 11)
    assert await remembered(other) == [*contents, "kite x"]
    word_embedder.embedded.clear()
    assert await follow(thread, memory=other)  # what a run would do has been done
    assert word_embedder.embedded == []


async def test_reindexing_again_embeds_nothing(thread, past, again, word_embedder):
    await past(thread, "kite one", "kite two")
    assert await again() == ((2, 0, 1), 2)
    word_embedder.embedded.clear()
    assert await again() == ((0, 2, 1), 2)
    assert word_embedder.embedded == []


async def test_an_interrupted_reindexing_goes_on(
    thread, past, again, memory, user_id, word_embedder
):
    await past(thread, *(f"kite {number}" for number in range(2 * BATCH)))
    embed, calls = word_embedder.embed, 0

    def interrupted(texts):
        nonlocal calls
        calls += 1
        if calls > BATCH // 16:  # in the middle of the second batch
            raise asyncio.CancelledError
        return embed(texts)

    word_embedder.embed = interrupted
    with pytest.raises(asyncio.CancelledError):
        await again()
    word_embedder.embed = embed
    assert await memory.count(user_id) == BATCH
    assert await again() == ((BATCH, BATCH, 1), 2 * BATCH)


async def test_reindexing_brings_back_what_was_lost(
    chroma, thread, past, follow, again, memory, user_id, remembered
):
    await past(thread, "kite one", "kite two")
    await follow(thread)
    chroma.delete_collection(memory.vectors._name(user_id))
    assert await again() == ((2, 0, 1), 2)
    assert await remembered() == ["kite one", "kite two"]


async def test_reindexing_of_everybody_goes_through_every_user(
    store, user_id, other_user_id, past, memory
):
    threads = {user: await store.create_thread(user, "t") for user in (user_id, other_user_id)}
    for thread_id in threads.values():
        await past(thread_id, "kite")
    places = await find_places(store)
    assert threads.items() <= {place.user_id: place.thread_id for place in places}.items()
    assert {place.messages for place in places if place.user_id in threads} == {1}


async def test_what_other_embedders_made_is_dropped_when_asked(
    chroma, thread, past, follow, memory, user_id, embedder, word_embedder, remembered
):
    await past(thread, "kite")
    await follow(thread)
    word_embedder.name += "-2"
    other = Memory(chroma, embedder)
    await follow(thread, memory=other)
    assert await other.drop_others(user_id) == 1
    assert await remembered(other) == ["kite"]
    assert await other.drop_others(user_id) == 0


@pytest.mark.parametrize("what", ["thread", "user"])
async def test_forgetting_takes_what_every_embedder_has(
    chroma, thread, past, follow, memory, user_id, embedder, word_embedder, what
):
    await past(thread, "kite")
    await follow(thread)
    first, word_embedder.name = word_embedder.name, f"{word_embedder.name}-2"
    other = Memory(chroma, embedder)
    if what == "thread":
        await other.forget_thread(user_id, thread)
    else:
        await other.forget_user(user_id)
    word_embedder.name = first
    assert await memory.count(user_id) == 0
