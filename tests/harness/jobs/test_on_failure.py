from prometheus_client import REGISTRY

from harness.jobs.policies import PERSIST
from harness.models import Status


def alerts() -> float:
    return REGISTRY.get_sample_value("harness_alerts_total", {"kind": "message_failed"}) or 0.0


async def test_a_failed_message_raises_an_alert(worker):
    before = alerts()
    key = await worker.send(await worker.thread(), "hi", model="gpt-99")
    await worker.finished(key)

    async def raised():
        return alerts() > before

    await worker.until(raised)


async def test_a_run_that_fails_before_it_began_leaves_both_messages(worker):
    async def broken(*_, **__):
        raise RuntimeError("a bug")

    original, worker.store.begin = worker.store.begin, broken
    key = await worker.send(await worker.thread(), "hello")
    message = await worker.finished(key)
    worker.store.begin = original
    assert message.status is Status.FAILED
    assert "a bug" in message.error.message
    assert (await worker.store.read_message(key)).user.content == "hello"


async def test_what_the_run_could_not_say_is_said_for_it(worker):
    sent = worker.sent(await worker.thread(), "hello")

    async def broken(*_, **__):
        raise RuntimeError("no context")

    tries = 0
    original = worker.store.fail

    async def fail_late(key, *arguments):
        nonlocal tries
        if key == sent.message_key:
            tries += 1
            if tries <= PERSIST.attempts:  # every one of the run's own step
                raise RuntimeError("no luck")
        return await original(key, *arguments)

    worker.services.gatherer.gather = broken
    worker.store.fail = fail_late
    await worker.services.inngest.send(sent.to_inngest(sent.message_key))
    message = await worker.finished(sent.message_key)
    assert message.error.code == "run_failed"
    assert "no context" in message.error.message


async def test_a_thread_that_is_not_the_senders_ends_the_run_quietly(worker):
    key = await worker.send("no-such-thread", "hello")
    before = alerts()

    async def raised():
        return alerts() > before

    await worker.until(raised)
    assert await worker.store.read_message(key) is None
