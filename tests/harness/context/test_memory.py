import asyncio
import threading

import numpy as np
import pytest

from harness.context import vectors
from harness.context.corpus import Record
from harness.context.memory import Memory
from harness.context.retriever import Scope
from harness.context.vectors import VectorStore, connect
from harness.errors import HarnessError

USER = Scope(user_id="user")


async def test_indexing_again_changes_nothing(memory, conversation):
    messages = conversation(["a red kite", "a blue kite"])
    for _ in range(3):
        await memory.index("user", "thread", messages)
    assert await memory.count("user") == 2
    assert len(await memory.retrieve("kite", 9, USER)) == 2


async def test_empty_messages_are_not_remembered(memory, conversation):
    await memory.index("user", "thread", conversation(["", "  \n", "words"]))
    assert await memory.count("user") == 1


async def test_what_is_indexed_later_is_found_at_once(memory, new_message):
    await memory.index("user", "thread", [new_message("kites", 0)])
    await memory.retrieve("lantern", 1, USER)
    await memory.index("user", "thread", [new_message("a paper lantern", 1)])
    assert (await memory.retrieve("lantern", 1, USER))[0].text == "a paper lantern"


async def test_what_another_process_wrote_is_found(open_chroma, memory, embedder, new_message):
    await memory.index("user", "thread", [new_message("kites", 0)])
    await memory.retrieve("kites", 1, USER)
    other = Memory(open_chroma(), embedder)
    await other.index("user", "thread", [new_message("a paper lantern", 1)])
    assert (await memory.retrieve("lantern", 1, USER))[0].text == "a paper lantern"


async def test_a_message_that_gives_up_waiting_leaves_the_reading_to_the_next(
    chroma, memory, embedder, new_message, monkeypatch
):
    await memory.index("user", "thread", [new_message("a paper lantern", 0)])
    started = Memory(chroma, embedder)
    begun, slow, reads = threading.Event(), threading.Event(), []
    read = vectors._records

    def blocked(ids, collection):
        reads.append(ids)
        begun.set()
        slow.wait()
        return read(ids, collection)

    monkeypatch.setattr(vectors, "_records", blocked)
    asking = asyncio.create_task(started.retrieve("lantern", 1, USER))
    await asyncio.to_thread(begun.wait)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    slow.set()
    assert (await started.retrieve("lantern", 1, USER))[0].text == "a paper lantern"
    assert len(reads) == 1


async def test_what_another_process_deleted_is_gone(open_chroma, memory, embedder, new_message):
    await memory.index("user", "one", [new_message("kites one", 0)])
    await memory.index("user", "two", [new_message("kites two", 0)])
    await memory.retrieve("kites", 1, USER)
    await Memory(open_chroma(), embedder).forget_thread("user", "one")
    assert [hit.text for hit in await memory.retrieve("kites", 5, USER)] == ["kites two"]


async def test_a_deleted_user_whose_collection_another_process_removed_can_come_back(
    open_chroma, memory, embedder, new_message
):
    await memory.index("user", "thread", [new_message("kites", 0)])
    await Memory(open_chroma(), embedder).forget_user("user")
    assert await memory.retrieve("kites", 5, USER) == []
    await memory.index("user", "thread", [new_message("kites again", 1)])
    assert [hit.text for hit in await memory.retrieve("kites", 5, USER)] == ["kites again"]


async def test_a_deleted_thread_is_forgotten(memory, new_message):
    await memory.index("user", "one", [new_message("kites one", 0)])
    await memory.index("user", "two", [new_message("kites two", 0)])
    await memory.forget_thread("user", "one")
    assert [hit.text for hit in await memory.retrieve("kites", 5, USER)] == ["kites two"]


async def test_a_deleted_user_is_forgotten(memory, new_message):
    await memory.index("user", "thread", [new_message("kites", 0)])
    await memory.index("other", "thread", [new_message("kites", 0)])
    await memory.forget_user("user")
    assert await memory.count("user") == 0
    assert await memory.retrieve("kites", 5, USER) == []
    assert await memory.count("other") == 1


async def test_deleting_what_was_never_there_is_no_error(memory):
    await memory.forget_thread("user", "thread")
    await memory.forget_user("user")
    assert await memory.count("user") == 0


@pytest.mark.parametrize(("query", "k"), [("", 5), ("   ", 5), ("kites", 0), ("kites", -1)])
async def test_asking_for_nothing_gives_nothing(memory, conversation, query, k):
    await memory.index("user", "thread", conversation(["kites"]))
    assert await memory.retrieve(query, k, USER) == []


async def test_any_user_id_has_a_memory_of_its_own(memory, new_message):
    ids = ["u", "ü/../", "x" * 2000, "user with spaces", "a", "A"]
    for number, user_id in enumerate(ids):
        await memory.index(user_id, "thread", [new_message(f"kite {number}", 0)])
    for number, user_id in enumerate(ids):
        hits = await memory.retrieve("kite", 5, Scope(user_id=user_id))
        assert [hit.text for hit in hits] == [f"kite {number}"]


async def test_vectors_of_another_embedder_are_kept_apart(chroma, memory, word_embedder, embedder):
    word_embedder.name = "words-2"
    assert await Memory(chroma, embedder).count("user") == 0


def test_a_server_that_is_not_there_is_named_with_its_variable(free_port):
    port = free_port()
    with pytest.raises(HarnessError, match=rf"127\.0\.0\.1:{port}.*CHROMA_URL"):
        connect(f"http://127.0.0.1:{port}")


async def test_of_messages_of_the_same_score_the_later_comes_first_after_a_start(
    chroma, memory, embedder, new_message, monkeypatch
):
    monkeypatch.setattr(vectors, "PAGE", 3)  # messages that are read at once
    day_ms = 24 * 3600 * 1000  # no message shares in the score of one of another day
    messages = [new_message("a lantern", day, sent_at=day * day_ms) for day in range(9)]
    await memory.index("user", "thread", messages)
    hits = await Memory(chroma, embedder).retrieve("lantern", 9, USER)
    assert [hit.order for hit in hits] == list(range(9))[::-1]


def test_a_breadth_of_every_message_finds_the_very_nearest(chroma, word_embedder):
    made = np.random.default_rng(5).normal(size=(3000, word_embedder.dimensions))
    points = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    store = VectorStore(chroma, word_embedder, breadth=len(points))
    records = [Record(f"m{n}", "text", "t", n, n, "user") for n in range(len(points))]
    store.upsert("everyone", records, points)
    for asked in points[::500]:
        nearest = np.argsort(-(points @ asked))[:200]
        assert set(store.similar("everyone", asked, 200, None)) == {f"m{n}" for n in nearest}
