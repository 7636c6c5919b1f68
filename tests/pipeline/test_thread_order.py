"""One message of a thread at a time, in order; threads do not wait for each other."""

import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = 'Ask me which day suits me. [[call ask_user {"question": "Which day?"}]] [[say first]]'


async def test_messages_sent_at_once_are_answered_in_order(person):
    thread = await person.thread()
    drafts = await asyncio.gather(*(person.say(thread, f"[[say answer {n}]]") for n in range(4)))
    answers = [await person.ended(draft) for draft in drafts]
    assert {answer.status for answer in answers} == {"completed"}
    ordered = sorted(answers, key=lambda answer: answer.order)
    assert [answer.order for answer in ordered] == [1, 3, 5, 7]
    ends = [answer.finished_at for answer in ordered]
    assert ends == sorted(ends)


async def test_a_message_sent_during_an_answer_is_not_begun_before_its_end(
    person, hold, store, remembered
):
    thread = await person.thread()
    first = person.draft(thread, "[[say first]]")
    streaming = hold(first.key, "model-0:streaming")
    await person.send(first)
    await streaming.reached()
    second = person.draft(thread, "[[say second]]")
    await person.send(second)
    await remembered(second.key, "turn-0-lookup")  # its steps ran in the middle of the other's
    exchange = await store.read_message(second.key)
    assert (exchange.assistant.status, exchange.assistant.attempts) == ("pending", [])
    streaming.release()
    await person.answered(second, "second")
    first_answer, second_answer = await person.ended(first), await person.ended(second)
    assert first_answer.content == "first"
    assert first_answer.finished_at <= second_answer.finished_at


async def test_a_message_waits_for_the_one_that_waits_for_its_user(person, store, remembered):
    thread = await person.thread()
    first = await person.say(thread, ASK)
    call = await person.waits(first)
    second = await person.say(thread, "[[say second]]")
    await remembered(second.key, "turn-0-lookup")  # from here on only an event wakes it
    elsewhere = await person.say(await person.thread(), "[[say elsewhere]]")
    await person.answered(elsewhere, "elsewhere")
    assert (await store.read_message(second.key)).assistant.status == "pending"

    await person.client.reply(first.key, call.call_id, text="Friday")
    await person.answered(first, "first")
    await person.answered(second, "second")


async def test_two_threads_are_answered_in_parallel(person, hold):
    drafts = [person.draft(await person.thread(), f"[[say answer {n}]]") for n in range(2)]
    held = [hold(draft.key, "model-0:streaming") for draft in drafts]
    for draft in drafts:
        await person.send(draft)
    for each in held:  # none is released before both stream
        await each.reached()
    for each in held:
        each.release()
    for number, draft in enumerate(drafts):
        await person.answered(draft, f"answer {number}")
