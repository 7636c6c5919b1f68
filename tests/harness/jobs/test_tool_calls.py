import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from harness.events import MessageReplied
from harness.jobs.tool_calls import _plan
from harness.models import Effect, Status, ToolCallStatus, ToolRequest
from harness.store import PlannedCall

ASK = '[[call ask_user {"question": "Which day?"}]]'
WRITE = '[[call write_file {"path": "a.txt", "content": "hi"}]]'


async def reply(worker, call, **answer) -> None:
    await worker.store.reply(call.message_key, call.call_id, worker.user_id, **answer)
    event = MessageReplied(message_key=call.message_key, call_id=call.call_id)
    await worker.services.inngest.send(event.to_inngest(f"{call.call_id}-replied"))


async def test_a_tools_result_goes_back_to_the_model(worker):
    key = await worker.send(await worker.thread(), '[[call calculate {"expression": "6*7"}]]')
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert "calculate gave" in message.content
    assert "42" in message.content
    call = await worker.call(key)
    assert call.status is ToolCallStatus.SUCCEEDED
    assert call.chosen_by == "simulated (native)"


async def test_parallel_reads_all_end_before_the_next_turn(worker):
    text = "".join(f'[[call calculate {{"expression": "{n}*10"}}]]' for n in (1, 2, 3))
    key = await worker.send(await worker.thread(), text)
    message = await worker.finished(key)
    calls = [await worker.call(key, index) for index in range(3)]
    assert [call.status for call in calls] == [ToolCallStatus.SUCCEEDED] * 3
    assert all(result in message.content for result in ("10", "20", "30"))


async def test_a_tool_with_effects_runs_once(worker):
    key = await worker.send(await worker.thread(), '[[call ring {"tone": "high"}]]')
    await worker.finished(key)
    assert worker.effects == ["high"]


async def test_what_began_and_was_not_seen_to_end_is_not_run_again(worker):
    sent = worker.sent(await worker.thread(), '[[call ring {"tone": "high"}]]')
    call_id = f"{sent.message_key}-0-0"

    async def start_first(*_):
        # As a process does that dies in the middle of the call.
        if not started:
            started.append(await original(call_id))
        return await original(call_id)

    started = []
    original, worker.store.start_call = worker.store.start_call, start_first
    await worker.services.inngest.send(sent.to_inngest(sent.message_key))
    message = await worker.finished(sent.message_key)
    assert worker.effects == []
    assert "was not run again" in message.content
    assert (await worker.call(sent.message_key)).status is ToolCallStatus.UNKNOWN


async def test_an_answer_that_comes_while_the_run_waits_goes_on(worker):
    key = await worker.send(await worker.thread(), ASK)
    await worker.reaches(key, Status.WAITING)
    await reply(worker, await worker.call(key), text="Friday")
    message = await worker.finished(key)
    assert "Friday" in message.content


async def test_an_answer_that_comes_before_the_run_waits_is_not_lost(worker):
    sent = worker.sent(await worker.thread(), ASK)
    original = worker.store.record_calls

    async def record_and_reply(key, turn, calls):
        stop = await original(key, turn, calls)
        if calls:
            await reply(worker, await worker.store.get_call(calls[0].call_id), text="Friday")
        return stop

    worker.store.record_calls = record_and_reply
    await worker.services.inngest.send(sent.to_inngest(sent.message_key))
    message = await worker.finished(sent.message_key)
    assert "Friday" in message.content


async def test_an_answer_between_the_question_and_the_wait_is_not_lost(worker):
    sent = worker.sent(await worker.thread(), ASK)
    original = worker.store.await_user

    async def ask_and_reply(call_id, *question):
        asked = await original(call_id, *question)
        await reply(worker, await worker.store.get_call(call_id), text="Friday")
        return asked

    worker.store.await_user = ask_and_reply
    await worker.services.inngest.send(sent.to_inngest(sent.message_key))
    message = await worker.finished(sent.message_key)
    assert "Friday" in message.content


async def test_a_question_nobody_answers_expires(start_worker):
    worker = await start_worker(reply_wait_s=1)
    key = await worker.send(await worker.thread(), ASK)
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert "did not answer in time" in message.content
    assert (await worker.call(key)).status is ToolCallStatus.EXPIRED


async def test_an_approved_call_runs(worker):
    key = await worker.send(await worker.thread(), WRITE)
    await worker.reaches(key, Status.WAITING)
    call = await worker.call(key)
    assert call.question.kind == "approval"
    await reply(worker, call, approved=True)
    await worker.finished(key)
    assert (worker.services.settings.workspace_dir / "a.txt").read_text() == "hi"


async def test_a_denied_call_does_not_run(worker):
    key = await worker.send(await worker.thread(), WRITE)
    await worker.reaches(key, Status.WAITING)
    await reply(worker, await worker.call(key), approved=False)
    message = await worker.finished(key)
    assert "did not allow" in message.content
    assert not (worker.services.settings.workspace_dir / "a.txt").exists()
    assert (await worker.call(key)).status is ToolCallStatus.DENIED


async def test_a_wait_is_slept_by_inngest(worker):
    key = await worker.send(await worker.thread(), '[[call wait {"seconds": 1}]]')
    message = await worker.finished(key)
    assert "waited_seconds" in message.content
    assert message.latency_ms >= 1000


async def test_a_wait_until_a_time_is_slept_by_inngest(worker):
    until = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    key = await worker.send(await worker.thread(), f'[[call wait_until {{"time": "{until}"}}]]')
    message = await worker.finished(key)
    assert "waited_until" in message.content
    call = await worker.call(key)
    assert call.status is ToolCallStatus.SUCCEEDED
    assert call.finished_at >= datetime.fromisoformat(until).timestamp() * 1000 - 1


async def test_a_time_that_is_past_is_told_to_the_model(worker):
    text = '[[call wait_until {"time": "2020-01-01 00:00", "zone": "Berlin"}]]'
    key = await worker.send(await worker.thread(), text)
    message = await worker.finished(key)
    assert "is past" in message.content
    assert (await worker.call(key)).status is ToolCallStatus.FAILED


async def test_a_wait_that_is_planned_again_ends_at_the_same_time(worker):
    """As when its process dies in the step: the second try counts from the call's first start."""
    key = await worker.send(await worker.thread(), ASK)
    await worker.reaches(key, Status.WAITING)
    call_id = f"{key}-9-0"
    planned = {"index": 0, "name": "wait_until", "arguments": "{}", "effect": Effect.READ}
    planned |= {"call_id": call_id, "idempotent": True}
    await worker.store.record_calls(key, 9, [PlannedCall.model_validate(planned)])
    started = (await worker.store.start_call(call_id)).call.started_at
    at = datetime.fromtimestamp(started / 1000, UTC) + timedelta(milliseconds=1)
    call = ToolRequest(call_id=call_id, name="wait_until", arguments={"time": at.isoformat()})
    again = await _plan(SimpleNamespace(services=worker.services), call)
    assert again.until == at  # which is past by now, but was not when the call began


async def test_malformed_arguments_are_told_to_the_model(worker):
    text = '[[call calculate {"expression": "6*7"}]] [[fault malformed_tool_call]]'
    key = await worker.send(await worker.thread(), text)
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert "not JSON" in message.content
    assert (await worker.call(key)).status is ToolCallStatus.FAILED


async def test_an_unknown_tool_is_told_to_the_model(worker):
    key = await worker.send(await worker.thread(), '[[call teleport {"to": "Mars"}]]')
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert "there is no tool 'teleport'" in message.content


async def test_wrong_arguments_ask_nobody_for_approval(worker):
    key = await worker.send(await worker.thread(), '[[call write_file {"file": "a.txt"}]]')
    message = await worker.finished(key)
    assert "wrong arguments" in message.content
    assert (await worker.call(key)).question is None


async def test_calls_after_one_another_each_have_their_turn(worker):
    text = '[[call calculate {"expression": "1+1"}]][[then]][[call ring {"tone": "low"}]]'
    key = await worker.send(await worker.thread(), text)
    await worker.finished(key)
    calls = await asyncio.gather(worker.call(key, turn=0), worker.call(key, turn=1))
    assert [call.name for call in calls] == ["calculate", "ring"]


async def test_the_last_turn_offers_no_tools(start_worker):
    worker = await start_worker(max_turns=2)
    call = '[[call ring {"tone": "low"}]]'
    key = await worker.send(await worker.thread(), "[[then]]".join([call] * 4))
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert worker.effects == ["low"]
