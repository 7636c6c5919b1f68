from harness.models import Status


async def test_a_message_is_answered_and_kept(worker):
    thread = await worker.thread()
    message = await worker.finished(await worker.send(thread, "[[say one two three]]"))
    assert message.status is Status.COMPLETED
    assert message.content == "one two three"
    assert message.usage.completion_tokens == 3
    assert message.model == "simulated"


async def test_the_exchange_is_remembered(worker):
    await worker.finished(await worker.send(await worker.thread(), "[[say a long answer]]"))
    await worker.indexed(2)
