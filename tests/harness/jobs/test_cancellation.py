import asyncio

import pytest

from harness.events import MessageCancelled
from harness.models import Status

SLOW = "simulated?ttft_ms=0&itl_ms=20&tokens=2000"
ASK = '[[call ask_user {"question": "Which day?"}]]'


@pytest.fixture
def cancel(worker):
    async def do(key, thread, tell=True):
        await worker.store.cancel(key, worker.user_id)
        if tell:
            event = MessageCancelled(message_key=key, thread_id=thread)
            await worker.services.inngest.send(event.to_inngest(f"{key}-cancelled"))

    return do


async def streaming(worker, key):
    async def look():
        message = await worker.answer(key)
        return message and message.attempts and await worker.model_requests()

    await worker.until(look)


async def model_closed(worker):
    async def look():
        return all(r["outcome"] != "open" for r in await worker.model_requests())

    await worker.until(look)


@pytest.mark.parametrize("tell", [True, False])
async def test_a_cancel_in_the_middle_of_a_model_step_closes_the_models_request(
    worker, cancel, tell
):
    thread = await worker.thread()
    key = await worker.send(thread, "hi", model=SLOW)
    await streaming(worker, key)
    await cancel(key, thread, tell)
    await model_closed(worker)
    [request] = await worker.model_requests()
    assert request["outcome"] == "closed"
    assert (await worker.answer(key)).status is Status.CANCELLED


async def test_no_text_comes_after_a_cancel(worker, cancel):
    thread = await worker.thread()
    key = await worker.send(thread, "hi", model=SLOW)
    await streaming(worker, key)
    await cancel(key, thread)
    content = (await worker.answer(key)).content
    await model_closed(worker)
    assert (await worker.answer(key)).content == content


async def test_a_silent_model_is_closed_too(worker, cancel):
    thread = await worker.thread()
    key = await worker.send(thread, "hi", model="simulated?ttft_ms=60000")
    await streaming(worker, key)
    await cancel(key, thread, tell=False)
    await model_closed(worker)


async def test_a_cancel_before_the_run_began_holds(worker, cancel):
    sent = worker.sent(await worker.thread(), "[[say never]]")
    await cancel(sent.message_key, sent.thread_id)
    await worker.services.inngest.send(sent.to_inngest(sent.message_key))
    message = await worker.finished(sent.message_key)
    assert message.status is Status.CANCELLED
    assert message.content == ""
    assert await worker.model_requests() == []


async def test_a_cancelled_wait_frees_the_thread(worker, cancel):
    thread = await worker.thread()
    first = await worker.send(thread, ASK)
    await worker.reaches(first, Status.WAITING)
    second = await worker.send(thread, "[[say second]]")
    await worker.reaches(second, Status.PENDING)
    await asyncio.sleep(0.3)  # its look beside the wait is over: only an event wakes it
    await cancel(first, thread)
    assert (await worker.finished(second)).content == "second"
