"""What holds for every retriever."""

import pytest

from harness.context.dense import DenseRetriever
from harness.context.hybrid import HybridRetriever
from harness.context.lexical import LexicalRetriever
from harness.context.memory import Memory
from harness.context.retriever import Scope

TEXTS = [
    "The boat needs a new sail.",
    "I will order a sail for the boat tomorrow.",
    "My aunt bakes bread every Sunday.",
    "The bread was still warm.",
    "We painted the fence green.",
]
BUILD = {
    "dense": lambda vectors, embedder: DenseRetriever(vectors, embedder),
    "lexical": lambda vectors, embedder: LexicalRetriever(vectors),
    "hybrid": lambda vectors, embedder: HybridRetriever(vectors, embedder),
}


@pytest.fixture(params=sorted(BUILD))
def retriever(request, memory):
    return BUILD[request.param](memory.vectors, memory.embedder)


async def test_the_best_hit_comes_first(retriever, memory, conversation):
    await memory.index("user", "thread", conversation(TEXTS))
    hits = await retriever.retrieve("Who bakes bread?", 5, Scope(user_id="user"))
    assert hits[0].text == TEXTS[2]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_a_hit_tells_its_message_and_why(retriever, memory, new_message):
    message = new_message("The kiln is hot", 3, speaker="Ada")
    await memory.index("user", "thread", [message, new_message("something else entirely", 4)])
    (hit,) = await retriever.retrieve("kiln", 1, Scope(user_id="user"))
    assert (hit.id, hit.thread_id, hit.order, hit.sent_at, hit.role, hit.speaker, hit.source) == (
        *(message.id, "thread", 3, message.sent_at, message.role, "Ada"),
        "message",
    )
    assert sum(hit.why.values()) == pytest.approx(hit.score, abs=1e-3)


async def test_at_most_k_hits_each_once(retriever, memory, conversation):
    await memory.index("user", "thread", conversation([f"bread and sail {i}" for i in range(20)]))
    hits = await retriever.retrieve("bread", 7, Scope(user_id="user"))
    assert len({hit.id for hit in hits}) == len(hits) == 7


async def test_another_users_messages_are_never_hits(retriever, memory, conversation):
    await memory.index("someone else", "thread", conversation(TEXTS))
    assert await retriever.retrieve("bread", 5, Scope(user_id="user")) == []


async def test_hits_stay_in_the_thread_of_the_scope(retriever, memory, new_message):
    await memory.index("user", "one", [new_message("bread in thread one", 0)])
    await memory.index("user", "two", [new_message("bread in thread two", 0)])
    hits = await retriever.retrieve("bread", 5, Scope(user_id="user", thread_id="two"))
    assert [hit.thread_id for hit in hits] == ["two"]


async def test_hits_come_before_the_order_of_the_scope(retriever, memory, conversation):
    await memory.index("user", "thread", conversation([f"bread {i}" for i in range(6)]))
    scope = Scope(user_id="user", thread_id="thread", before_order=3)
    hits = await retriever.retrieve("bread", 9, scope)
    assert sorted(hit.order for hit in hits) == [0, 1, 2]


async def test_hits_were_sent_before_the_time_of_the_scope(retriever, memory, conversation):
    messages = conversation([f"bread {i}" for i in range(6)])
    await memory.index("user", "thread", messages)
    scope = Scope(user_id="user", sent_before=messages[3].sent_at)
    hits = await retriever.retrieve("bread", 9, scope)
    assert sorted(hit.order for hit in hits) == [0, 1, 2]


async def test_what_another_process_forgot_is_no_hit_and_what_it_added_is_one(
    retriever, memory, open_chroma, embedder, conversation
):
    await memory.index("user", "old", conversation(["bread one", "bread two"]))
    assert await retriever.retrieve("bread", 5, Scope(user_id="user"))
    elsewhere = Memory(open_chroma(), embedder)
    await elsewhere.forget_thread("user", "old")
    # As many as were forgotten: the number of messages tells nothing.
    await elsewhere.index("user", "new", conversation(["bread three", "bread four"]))
    at_once = await retriever.retrieve("bread", 5, Scope(user_id="user"))
    assert not {hit.text for hit in at_once} & {"bread one", "bread two"}
    hits = await retriever.retrieve("bread", 5, Scope(user_id="user"))
    assert {hit.text for hit in hits} == {"bread three", "bread four"}


async def test_excluded_messages_are_no_hits_and_make_room(retriever, memory, conversation):
    messages = conversation([f"bread {i}" for i in range(6)])
    await memory.index("user", "thread", messages)
    excluded = frozenset(message.id for message in messages[:4])
    hits = await retriever.retrieve("bread", 2, Scope(user_id="user", exclude=excluded))
    assert {hit.id for hit in hits} == {message.id for message in messages[4:]}


async def test_nothing_remembered_gives_no_hits(retriever):
    assert await retriever.retrieve("bread", 5, Scope(user_id="nobody")) == []


async def test_a_query_without_a_known_word_is_no_error(retriever, memory, conversation):
    await memory.index("user", "thread", conversation(TEXTS))
    assert len(await retriever.retrieve("??? zyx", 3, Scope(user_id="user"))) <= 3
