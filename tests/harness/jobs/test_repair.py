import pytest

from harness.jobs import model_turn
from harness.llm.turns import TurnRequest
from harness.models import Status, ToolCallStatus

WRONG = '[[call calculate {"sum": "6*7"}]]'
RIGHT = '[[call calculate {"expression": "6*7"}]]'
UNKNOWN = '[[call teleport {"to": "Mars"}]]'


async def statuses(worker, key) -> list[tuple[int, str]]:
    return [(call.turn, call.status) for call in await worker.store.message_calls(key)]


async def props(worker, key) -> dict:
    async def look():
        page = await worker.store.list_analytics("message.completed")
        return next((event.props for event in page.page if event.message_key == key), None)

    return await worker.until(look)


@pytest.fixture
def asked(monkeypatch) -> list[TurnRequest]:
    """What the models are asked for, turn by turn."""
    requests: list[TurnRequest] = []
    original = model_turn.run_turn

    async def run_turn(clients, spec, request, on_text):
        requests.append(request)
        return await original(clients, spec, request, on_text)

    monkeypatch.setattr(model_turn, "run_turn", run_turn)
    return requests


@pytest.mark.parametrize("wrong", [WRONG, UNKNOWN])
async def test_a_wrong_call_is_told_what_was_wrong_and_called_again(worker, asked, wrong):
    key = await worker.send(await worker.thread(), f"{wrong}[[then]]{RIGHT}")
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert "42" in message.content
    assert await statuses(worker, key) == [
        (0, ToolCallStatus.FAILED),
        (1, ToolCallStatus.SUCCEEDED),
    ]
    [first, repair, last] = asked
    [outcome] = repair.past[-1].outcomes
    assert "expression: Field required" in outcome.content or "'teleport'" in outcome.content
    assert [request.repairs for request in asked] == [False, True, False]
    assert first.tools == repair.tools == last.tools
    counted = await props(worker, key)
    assert (counted["turns"], counted["repairs"], "tools_withheld" in counted) == (3, 1, False)


@pytest.mark.parametrize("wrong", [WRONG, UNKNOWN])
async def test_a_second_failure_ends_in_an_answer(worker, asked, wrong):
    key = await worker.send(await worker.thread(), "[[then]]".join([wrong] * 5))
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert await statuses(worker, key) == [(0, ToolCallStatus.FAILED), (1, ToolCallStatus.FAILED)]
    assert [bool(request.tools) for request in asked] == [True, True, False]
    counted = await props(worker, key)
    assert (counted["repairs"], counted["tools_withheld"]) == (1, "repair")


async def test_what_was_right_beside_a_wrong_call_is_not_run_again(worker):
    text = f'[[call ring {{"tone": "high"}}]]{WRONG}[[then]]{RIGHT}'
    key = await worker.send(await worker.thread(), text)
    await worker.finished(key)
    assert worker.effects == ["high"]
    assert [status for _, status in await statuses(worker, key)] == [
        *(ToolCallStatus.SUCCEEDED, ToolCallStatus.FAILED),
        ToolCallStatus.SUCCEEDED,
    ]


async def test_a_model_without_native_calls_repairs_a_malformed_one(
    start_worker, simulated_url, asked
):
    worker = await start_worker(
        model="mine", openai_base_url=f"{simulated_url}/v1", model_protocol="json", max_turns=3
    )
    await worker.fault(kind="malformed_tool_call", times=1)
    key = await worker.send(await worker.thread(), RIGHT, model="mine")
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert await statuses(worker, key) == [
        (0, ToolCallStatus.FAILED),
        (1, ToolCallStatus.SUCCEEDED),
    ]
    [first, _] = await worker.store.message_calls(key)
    assert (first.name, "not JSON" in first.error) == ("calculate", True)
    assert [request.repairs for request in asked] == [False, True, False]


async def test_no_more_calls_run_than_the_ceiling(start_worker):
    worker = await start_worker(max_calls=2)
    key = await worker.send(await worker.thread(), '[[call ring {"tone": "a"}]]' * 3)
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert worker.effects == ["a", "a"]
    assert (await props(worker, key))["tools_withheld"] == "calls"


async def test_a_message_over_its_cost_is_answered_without_tools(start_worker):
    price = {"simulated": {"prompt": 1, "completion": 1}}
    worker = await start_worker(max_cost=1e-9, model_prices=price)
    key = await worker.send(await worker.thread(), f"{RIGHT}[[then]]" * 4)
    message = await worker.finished(key)
    assert message.status is Status.COMPLETED
    assert len(await statuses(worker, key)) == 1
    assert (await props(worker, key))["tools_withheld"] == "cost"
