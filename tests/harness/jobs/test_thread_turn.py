import asyncio

from harness.events import MessageReplied
from harness.models import Status

ASK = '[[call ask_user {"question": "Which day?"}]]'


async def test_messages_sent_at_once_are_answered_in_order(worker):
    thread = await worker.thread()
    keys = await asyncio.gather(*(worker.send(thread, f"[[say answer {n}]]") for n in range(4)))
    messages = [await worker.finished(key) for key in keys]
    assert {message.status for message in messages} == {Status.COMPLETED}
    in_order = sorted(messages, key=lambda message: message.order)
    assert [message.order for message in in_order] == [1, 3, 5, 7]
    ends = [message.finished_at for message in in_order]
    assert ends == sorted(ends)


async def test_a_message_waits_for_the_one_that_waits_for_its_user(worker):
    thread = await worker.thread()
    first = await worker.send(thread, ASK)
    await worker.reaches(first, Status.WAITING)
    second = await worker.send(thread, "[[say second]]")
    await worker.reaches(second, Status.PENDING)
    other = await worker.send(await worker.thread(), "[[say elsewhere]]")
    assert (await worker.finished(other)).status is Status.COMPLETED
    assert (await worker.answer(second)).status is Status.PENDING

    call = await worker.call(first)
    await worker.store.reply(first, call.call_id, worker.user_id, text="Friday")
    event = MessageReplied(message_key=first, call_id=call.call_id)
    await worker.services.inngest.send(event.to_inngest(f"{call.call_id}-replied"))
    assert (await worker.finished(first)).status is Status.COMPLETED
    assert (await worker.finished(second)).content == "second"


async def test_a_turn_that_comes_free_before_the_wait_is_not_missed(worker):
    thread = await worker.thread()
    first = await worker.send(thread, ASK)
    await worker.reaches(first, Status.WAITING)
    second = worker.sent(thread, "[[say second]]")
    original = worker.store.begin

    async def begin_and_free(sent, run_id):
        begun = await original(sent, run_id)
        if begun.state == "wait" and sent.message_key == second.message_key:
            await worker.store.cancel(first, worker.user_id)  # nobody sends an event
        return begun

    worker.store.begin = begin_and_free
    await worker.services.inngest.send(second.to_inngest(second.message_key))
    assert (await worker.finished(second.message_key)).content == "second"


async def test_a_run_asks_again_when_nobody_tells_it(start_worker):
    worker = await start_worker(turn_wait_s=1)
    thread = await worker.thread()
    first = await worker.send(thread, ASK)
    await worker.reaches(first, Status.WAITING)
    second = await worker.send(thread, "[[say second]]")
    await worker.reaches(second, Status.PENDING)
    await asyncio.sleep(0.5)  # the look beside the wait is over by then
    await worker.store.cancel(first, worker.user_id)  # nobody sends an event
    assert (await worker.finished(second)).content == "second"


async def test_a_failed_message_frees_its_thread(worker):
    thread = await worker.thread()
    first = await worker.send(thread, "hi", model="simulated?speed=1")
    second = await worker.send(thread, "[[say second]]")
    assert (await worker.finished(first)).status is Status.FAILED
    assert (await worker.finished(second)).content == "second"
