import pytest

from harness.context.gather import ContextGatherer, GatheredContext
from harness.context.retriever import Hit
from harness.context.tokens import token_counter
from harness.llm.errors import UnknownModel
from harness.models import ThreadSummary
from harness.settings import LOCAL_MODEL, Settings


class WordCounter:
    def count(self, text):
        return len(text.split())


class KeptInMemory:
    """A store of one thread and one user's preferences."""

    def __init__(self, messages, preferences, summary=None):
        self.messages = messages
        self.saved = preferences
        self.kept = summary

    async def history(self, thread_id, before_order, limit):
        earlier = [m for m in self.messages if m.order < before_order]
        return earlier[-limit:]

    async def preferences(self, user_id, version=None):
        return self.saved

    async def summary(self, thread_id):
        return self.kept


class Documents:
    """A knowledge base that finds the same pieces for every query."""

    def __init__(self, *texts):
        self.texts = texts

    async def retrieve(self, query, k):
        return [
            Hit(
                **{"id": f"d{i}", "source": "document", "text": text, "title": "Handbook"},
                **{"score": 1.0 - i / 10, "why": {"dense": 1.0 - i / 10}, "thread_id": ""},
                **{"order": i, "sent_at": 0, "role": "document"},
            )
            for i, text in enumerate(self.texts[:k])
        ]


@pytest.fixture
def gather(memory):
    async def run(
        messages,
        text="kite",
        order=100,
        preferences=None,
        thread_id="thread",
        summary=None,
        knowledge=None,
        model=None,
        **changes,
    ):
        store = KeptInMemory(messages, preferences or {}, summary)
        gatherer = ContextGatherer(
            store, memory, Settings(**changes), knowledge, lambda model: WordCounter()
        )
        return await gatherer.gather("user", thread_id, order, text, model=model)

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
    context = await gather(messages, context_budget_tokens=80, history_messages=6, memory_hits=1)
    assert len(context.memories) == 1
    contents = [item.content for item in context.history]
    assert context.memories[0].text not in contents


async def test_the_message_itself_takes_from_the_models_window(gather, conversation):
    messages = conversation(["words " * 50] * 4)
    roomy = await gather(messages, "short")
    tight = await gather(messages, "long " * 3900)
    assert sum(tight.tokens.values()) < sum(roomy.tokens.values())


async def test_a_message_as_long_as_the_window_leaves_no_context(gather, conversation):
    context = await gather(conversation(["hello"]), "long " * 9000)
    assert context.history == []
    assert context.left_out["history"] == 1


async def test_what_is_gathered_survives_json(gather, memory, conversation):
    await memory.index("user", "other", conversation(["a kite"]))
    context = await gather(conversation(["hello"]), preferences={"a": "b"})
    assert GatheredContext.model_validate_json(context.model_dump_json()) == context


SUMMARY = ThreadSummary(text="Ann keeps goats.", through_order=40, model="m")


async def test_a_long_threads_summary_is_shown(gather):
    context = await gather([], summary=SUMMARY, summaries="always")
    assert context.summary == "Ann keeps goats."


async def test_a_thread_that_the_history_shows_whole_needs_no_summary(gather):
    context = await gather([], order=8, summary=SUMMARY, summaries="always")
    assert context.summary == ""


@pytest.mark.parametrize("model", ["simulated", LOCAL_MODEL])
async def test_small_and_simulated_models_read_no_summary_by_themselves(gather, model):
    assert (await gather([], summary=SUMMARY, model=model)).summary == ""


async def test_documents_are_shown_with_their_titles(gather):
    context = await gather([], knowledge=Documents("Feed at six.", "Milk at seven."))
    assert [(hit.title, hit.text) for hit in context.documents] == [
        ("Handbook", "Feed at six."),
        ("Handbook", "Milk at seven."),
    ]


async def test_as_many_documents_are_asked_for_as_the_settings_say(gather):
    knowledge = Documents("one", "two", "three")
    assert len((await gather([], knowledge=knowledge, document_hits=2)).documents) == 2
    assert (await gather([], knowledge=knowledge, document_hits=0)).documents == []


async def test_tokens_are_counted_as_the_messages_own_model_counts_them(memory, conversation):
    store = KeptInMemory(conversation(["Is it 1234567890, really?"]), {})
    changes = {"model": "gpt-4o", "openai_base_url": "http://model.test/v1"}
    gatherer = ContextGatherer(store, memory, Settings(**changes))
    counted = {
        model: (await gatherer.gather("user", "thread", 100, "kite", model=model)).tokens["history"]
        for model in ("gpt-4o", LOCAL_MODEL)
    }
    difference = [token_counter(name).count("Is it 1234567890, really?") for name in counted]
    assert counted[LOCAL_MODEL] - counted["gpt-4o"] == difference[1] - difference[0] > 0


async def test_a_model_that_nobody_configured_is_named(gather):
    with pytest.raises(UnknownModel, match="gpt-99"):
        await gather([], model="gpt-99")
