from harness.models import Status
from harness.telemetry.metrics import CACHE_LOOKUPS


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


async def test_a_message_says_where_its_time_went(worker):
    sent = worker.sent(await worker.thread(), "[[say one two]]")
    await worker.services.inngest.send(sent.to_inngest(sent.message_key))
    await worker.finished(sent.message_key)

    async def recorded():
        page = (await worker.store.list_analytics("message.completed")).page
        return [event for event in page if event.message_key == sent.message_key]

    [event] = await worker.until(recorded)
    steps = {name for name in event.props if name.startswith("step.") and name.endswith(".ms")}
    assert steps == {
        "step.begin.ms",
        "step.gather-context.ms",
        "step.select-tools.ms",
        "step.model-0.ms",
    }
    assert event.props["completion_tokens"] == 2
    assert event.subject == worker.user_id


async def test_memory_that_fails_costs_the_memory_alone(start_worker):
    worker = await start_worker()

    async def broken(*_):
        raise RuntimeError("Chroma is down")

    worker.services.memory.index = broken
    message = await worker.finished(await worker.send(await worker.thread(), "[[say fine]]"))
    assert (message.status, message.content) == (Status.COMPLETED, "fine")


async def test_selection_that_fails_costs_the_tools_alone(worker):
    async def broken(*_):
        raise RuntimeError("no embedder")

    worker.services.selector.select = broken
    text = '[[call ring {"tone": "high"}]] [[say fine]]'
    message = await worker.finished(await worker.send(await worker.thread(), text))
    assert (message.status, message.content) == (Status.COMPLETED, "fine")
    assert worker.effects == []


async def test_the_same_event_twice_is_one_message(worker):
    sent = worker.sent(await worker.thread(), "[[say once]]")
    for event_id in ("one", "two"):  # as when a resend comes after Inngest forgot the first
        await worker.services.inngest.send(sent.to_inngest(f"{sent.message_key}-{event_id}"))
    await worker.finished(sent.message_key)
    later = await worker.finished(await worker.send(sent.thread_id, "[[say later]]"))
    assert later.order == 3


async def test_preferences_are_read_again_only_after_they_changed(worker):
    def lookups():
        return [
            CACHE_LOOKUPS.labels("preferences", outcome)._value.get() for outcome in ("hit", "miss")
        ]

    async def answered():
        """How the lookups of one more message ended: two of them, for context and for tools."""
        before = lookups()
        await worker.finished(await worker.send(thread, "[[say hello]]"))
        return [now - was for now, was in zip(lookups(), before, strict=True)]

    thread = await worker.thread()
    assert await answered() == [1, 1]
    assert await answered() == [2, 0]
    await worker.store.set_preference(worker.user_id, "tone", "warm")
    assert await answered() == [1, 1]
