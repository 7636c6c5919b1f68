from harness.context.hybrid import HybridRetriever
from harness.context.ranker import BY_HAND, Ranker
from harness.context.retriever import Scope
from harness.context.signals import Recipe

HOUR_MS = 3600 * 1000


async def test_an_answer_is_found_by_the_words_of_its_question(memory, conversation):
    texts = ["Lovely weather.", "Hello!", "What is the landlord's number?", "It is 555 0123."]
    await memory.index("user", "thread", conversation(texts))
    hits = await memory.retrieve("the landlord's number", 2, Scope(user_id="user"))
    assert {hit.text for hit in hits} == set(texts[2:])


async def test_a_message_is_found_by_its_day(memory, new_message):
    christmas = new_message("We ate goose", 0, sent_at=1_703_505_600_000)
    summer = new_message("We ate salad", 1, sent_at=1_688_000_000_000)
    await memory.index("user", "thread", [christmas, summer])
    hits = await memory.retrieve("What did we eat on 25 December?", 1, Scope(user_id="user"))
    assert hits[0].id == christmas.id


async def test_a_session_about_the_topic_lifts_its_messages(memory, embedder, new_message):
    start = 1_700_000_000_000
    texts = [("the sailing trip", 0), ("sailing gear", 0), ("bring the rope", 0)]
    texts += [("bring the rope", 9), ("office chairs", 9), ("more chairs", 9)]
    messages = [
        new_message(text, order, sent_at=start + hours * HOUR_MS + order * 1000)
        for order, (text, hours) in enumerate(texts)
    ]
    await memory.index("user", "thread", messages)
    alone = Ranker(weights=BY_HAND, recipe=Recipe(kernel={0: 1.0}))
    retriever = HybridRetriever(memory.vectors, embedder, alone)
    hits = await retriever.retrieve("rope for sailing", 6, Scope(user_id="user"))
    ranks = {hit.order: rank for rank, hit in enumerate(hits)}
    assert ranks[2] < ranks[3]
    assert "session" in hits[ranks[2]].why
    assert "session" not in hits[ranks[3]].why


async def test_a_match_of_one_chance_word_counts_less_than_one_of_all(memory, conversation):
    texts = ["The afternoon was warm.", "Rex chewed my slippers.", "We painted the boat."]
    await memory.index("user", "thread", conversation(texts))

    async def share_of_words(query):
        (hit,) = await memory.retrieve(query, 1, Scope(user_id="user"))
        return hit.why["lexical"]

    chance = await share_of_words("Which neighbour destroyed the curtains yesterday afternoon?")
    assert chance < await share_of_words("Who chewed the slippers?") / 2
