import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.context.gather import ContextGatherer, GatheredContext, assemble
from harness.context.retriever import Hit
from harness.models import Message
from harness.settings import Settings


class WordCounter:
    def count(self, text):
        return len(text.split())


class KeptInMemory:
    """A store of one thread and one user's preferences."""

    def __init__(self, messages, preferences):
        self.messages = messages
        self.saved = preferences

    async def history(self, thread_id, before_order, limit):
        earlier = [m for m in self.messages if m.order < before_order]
        return earlier[-limit:]

    async def preferences(self, user_id, version=None):
        return self.saved


@pytest.fixture
def gather(memory):
    async def run(
        messages, text="kite", order=100, preferences=None, thread_id="thread", **changes
    ):
        store = KeptInMemory(messages, preferences or {})
        gatherer = ContextGatherer(store, memory, Settings(**changes), WordCounter())
        return await gatherer.gather("user", thread_id, order, text)

    return run


async def test_history_is_the_newest_messages_oldest_first(gather, conversation):
    context = await gather(conversation([f"line {i}" for i in range(20)]), history_messages=3)
    assert [item.content for item in context.history] == ["line 17", "line 18", "line 19"]


async def test_messages_without_a_word_are_left_out_of_the_history(gather, conversation):
    context = await gather(conversation(["hello", "", "  "]))
    assert [item.content for item in context.history] == ["hello"]


async def test_preferences_are_told(gather):
    context = await gather([], preferences={"name": "Max"})
    assert context.preferences == {"name": "Max"}


async def test_memories_do_not_repeat_the_history(gather, memory, conversation):
    messages = conversation([f"kite {i}" for i in range(12)])
    await memory.index("user", "thread", messages)
    context = await gather(messages, history_messages=4, memory_hits=20)
    shown = {item.content for item in context.history}
    assert len(shown) == 4
    assert shown.isdisjoint(hit.text for hit in context.memories)
    assert len(context.memories) == 8


async def test_memories_come_from_the_users_other_threads_too(gather, memory, conversation):
    await memory.index("user", "another thread", conversation(["a kite of silk"]))
    context = await gather([])
    assert [hit.text for hit in context.memories] == ["a kite of silk"]


async def test_nothing_from_the_messages_own_place_on_is_shown(gather, memory, conversation):
    messages = conversation([f"kite {i}" for i in range(6)])
    await memory.index("user", "thread", messages)
    context = await gather(messages, order=3, history_messages=1, memory_hits=9)
    assert sorted(hit.order for hit in context.memories) == [0, 1]
    assert [item.content for item in context.history] == ["kite 2"]


async def test_an_old_message_that_the_history_has_no_room_for_may_be_a_memory(
    gather, memory, conversation
):
    messages = conversation([f"kite {i} " + "word " * 8 for i in range(6)])
    await memory.index("user", "thread", messages)
    context = await gather(messages, context_budget_tokens=60, history_messages=6, memory_hits=1)
    assert len(context.memories) == 1
    contents = [item.content for item in context.history]
    assert context.memories[0].text not in contents


async def test_the_message_itself_takes_from_the_models_window(gather, conversation):
    messages = conversation(["words " * 50] * 4)
    roomy = await gather(messages, "short")
    tight = await gather(messages, "long " * 6600)
    assert sum(tight.tokens.values()) < sum(roomy.tokens.values())


async def test_a_message_as_long_as_the_window_leaves_no_context(gather, conversation):
    context = await gather(conversation(["hello"]), "long " * 9000)
    assert context.history == []
    assert context.left_out["history"] == 1


async def test_what_is_gathered_survives_json(gather, memory, conversation):
    await memory.index("user", "other", conversation(["a kite"]))
    context = await gather(conversation(["hello"]), preferences={"a": "b"})
    assert GatheredContext.model_validate_json(context.model_dump_json()) == context


def _message(number, words):
    return Message(
        id=f"m{number}",
        thread_id="t",
        role="user",
        content=" ".join(["word"] * words),
        sent_at=number,
        order=number,
        status="completed",
    )


def _hit(number, words):
    text = " ".join(["word"] * words)
    return Hit(
        **{"id": f"m{number}", "source": "message", "text": text, "score": 1.0, "why": {}},
        **{"thread_id": "t", "order": number, "sent_at": number, "role": "user"},
    )


LENGTHS = st.lists(st.integers(1, 60), max_size=8)


@given(st.integers(0, 300), LENGTHS, LENGTHS, LENGTHS, st.integers(0, 6))
@settings(max_examples=200)
def test_any_mixture_fits_and_is_accounted_for(total, history, hits, preferences, most_hits):
    messages = [_message(i, words) for i, words in enumerate(history)]
    found = [_hit(i + 4, words) for i, words in enumerate(hits)]
    known = {f"k{i}": " ".join(["v"] * words) for i, words in enumerate(preferences)}
    context = assemble(total, messages, known, found, most_hits, WordCounter())
    assert sum(context.tokens.values()) <= total
    shown = len(context.history) + len(context.memories) + len(context.preferences)
    # The smallest item takes 6 tokens: a word, its speaker or key, and four of the template.
    assert shown or total < 16 or not (messages or (found and most_hits) or known)
    repeated = len({h.id for h in context.memories} & {m.id for m in messages})
    assert context.left_out["history"] == len(messages) - len(context.history) - repeated
    assert context.left_out["preferences"] == len(known) - len(context.preferences)
    assert len(context.memories) <= most_hits
