from harness.context.gather import GatheredContext
from harness.context.retriever import Hit
from harness.llm.shown import context_record, shown_memories
from harness.llm.turns import TurnResult
from harness.models import ContextRecord


def hit(name, source="message", **fields):
    return Hit(
        **{"id": name, "source": source, "text": name, "score": 0.5, "why": {"dense": 0.5}},
        **{"thread_id": "t", "order": 3, "sent_at": 0, "role": "user", **fields},
    )


CONTEXT = GatheredContext(
    memories=[hit("m1"), hit("m2")], documents=[hit("d1", "document", title="Goats")]
)


def result(*shown, **fields):
    return TurnResult(text="", model="m", shown=list(shown), **fields)


def names(*results):
    return [memory.id for memory in shown_memories(CONTEXT, results)]


def test_what_stood_in_any_turns_prompt_was_shown():
    assert names(result("m1", "d1"), result("m1")) == ["m1", "d1"]


def test_what_no_prompt_had_room_for_was_not_shown():
    assert names(result()) == []


def test_a_turn_of_an_older_version_was_shown_everything():
    assert names(TurnResult(text="", model="m")) == ["m1", "m2", "d1"]


def test_a_message_is_named_with_its_thread_and_a_document_with_its_title():
    message, document = shown_memories(CONTEXT, [result("m1", "d1")])
    assert (message.thread_id, message.order, message.title) == ("t", 3, None)
    assert (document.thread_id, document.order, document.title) == (None, None, "Goats")
    assert message.why == document.why == {"dense": 0.5}


def test_the_last_prompt_is_the_one_that_is_recorded():
    first, last = (ContextRecord(tokens={"message": n}, left_out={}, budget=9) for n in (1, 2))
    assert context_record([result(prompt=first), result(prompt=last)]) == last
