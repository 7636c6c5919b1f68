import json

import pytest

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


async def test_a_message_keeps_what_it_was_shown_and_how_its_prompt_was_filled(worker):
    await worker.finished(await worker.send(await worker.thread(), "My goat is called Berta."))
    await worker.indexed(2)
    key = await worker.send(await worker.thread(), "What is my goat called?")
    message = await worker.finished(key)
    [memory] = [each for each in message.shown if each.text == "My goat is called Berta."]
    assert memory.source == "message"
    assert (memory.order, bool(memory.id), bool(memory.thread_id)) == (0, True, True)
    assert sum(memory.why.values()) == pytest.approx(memory.score, abs=0.01)
    tokens = message.context.tokens
    assert tokens["memories"] > 0
    assert 0 < sum(tokens.values()) <= message.context.budget
    assert set(message.context.left_out) >= {"message", "tools", "results", "history", "memories"}


async def test_the_message_itself_is_no_part_of_its_history(worker):
    thread = await worker.thread()
    message = await worker.finished(await worker.send(thread, "[[say one]]"))
    assert "history" not in message.context.tokens


async def test_results_that_do_not_fit_the_window_are_cut_and_the_answer_still_comes(start_worker):
    worker = await start_worker(model_context_tokens=2600, model_max_output_tokens=64)
    note = "goat " * 900
    call = json.dumps({"path": "note.txt"})
    worker.services.settings.workspace_dir.mkdir(parents=True)
    (worker.services.settings.workspace_dir / "note.txt").write_text(note)
    text = f"[[call view_file {call}]] [[then]] [[call view_file {call}]] [[say read]]"
    message = await worker.finished(await worker.send(await worker.thread(), text))
    assert (message.status, message.content) == (Status.COMPLETED, "read")
    assert message.context.left_out["results"] > 0
    assert sum(message.context.tokens.values()) <= message.context.budget


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
    async def broken(*_, **__):
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
