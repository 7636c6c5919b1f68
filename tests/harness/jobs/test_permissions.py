import pytest

from harness.events import MessageReplied
from harness.models import Status, ToolCallStatus

RING = '[[call ring {"tone": "high"}]]'


@pytest.fixture
def owner(worker, mint):
    """Convex as the worker's user sees it."""
    return worker.store.as_user(mint(worker.user_id))


def once_planned(worker, act) -> None:
    """Does something between the offer of a tool and its call."""
    original = worker.store.record_calls

    async def record(key, turn, calls):
        stop = await original(key, turn, calls)
        await act()
        return stop

    worker.store.record_calls = record


async def send(worker, thread: str, text: str = RING) -> str:
    sent = worker.sent(thread, text)
    await worker.services.inngest.send(sent.to_inngest(sent.message_key))
    return sent.message_key


async def test_what_a_thread_forbids_can_not_be_called_in_it(worker, owner):
    thread, other = await worker.thread(), await worker.thread()
    await owner.set_tool_permission(thread, "ring", "never")
    message = await worker.finished(await send(worker, thread))
    assert "there is no tool 'ring'" in message.content
    assert worker.effects == []
    await worker.finished(await send(worker, other))
    assert worker.effects == ["high"]


async def test_what_is_forbidden_after_the_offer_does_not_run(worker, owner):
    thread = await worker.thread()
    once_planned(worker, lambda: owner.set_tool_permission(thread, "ring", "never"))
    key = await send(worker, thread)
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert "forbidden by now" in message.content
    assert (await worker.call(key)).status is ToolCallStatus.DENIED
    assert worker.effects == []


async def test_what_its_user_forbids_after_the_offer_is_not_carried_out_either(worker):
    thread = await worker.thread()
    once_planned(worker, lambda: worker.store.set_preference(worker.user_id, "tool.wait", "never"))
    key = await send(worker, thread, '[[call wait {"seconds": 3600}]]')
    await worker.finished(key)
    assert (await worker.call(key)).status is ToolCallStatus.DENIED


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("calls", [RING, '[[call calculate {"expression": "6*7"}]]' * 2])
async def test_who_wants_to_be_asked_after_the_offer_is_asked(worker, owner, approved, calls):
    thread = await worker.thread()
    tool = "ring" if calls == RING else "calculate"
    once_planned(worker, lambda: owner.set_tool_permission(thread, tool, "ask"))
    key = await send(worker, thread, calls)
    asked = 1 if calls == RING else 2
    for index in range(asked):

        async def waits(index=index):
            call = await worker.store.get_call(f"{key}-0-{index}")
            return call if call and call.status is ToolCallStatus.WAITING else None

        call = await worker.until(waits)
        assert call.question.kind == "approval"
        await worker.store.reply(key, call.call_id, worker.user_id, approved=approved)
        event = MessageReplied(message_key=key, call_id=call.call_id)
        await worker.services.inngest.send(event.to_inngest(f"{call.call_id}-replied"))
    await worker.finished(key)
    status = ToolCallStatus.SUCCEEDED if approved else ToolCallStatus.DENIED
    assert [call.status for call in await worker.store.message_calls(key)] == [status] * asked
    assert worker.effects == (["high"] if approved and calls == RING else [])


async def test_a_thread_may_loosen_what_its_user_tightened(worker, owner):
    thread = await worker.thread()
    await worker.store.set_preference(worker.user_id, "tool.ring", "never")
    await owner.set_tool_permission(thread, "ring", "auto")
    await worker.finished(await send(worker, thread))
    assert worker.effects == ["high"]
