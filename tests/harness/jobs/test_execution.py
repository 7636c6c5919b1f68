import asyncio
import sys

import pytest

from harness.models import Effect, ToolCallStatus
from harness.settings import McpServer
from harness.tools.errors import ToolUnavailable
from harness.tools.mcp.servers import McpServers
from harness.tools.registry import Retry, tool


async def test_calls_that_only_read_run_at_the_same_time_in_their_own_steps(worker):
    together = asyncio.Barrier(3)

    @tool(effect=Effect.READ, examples=[])
    async def meet() -> str:
        """Wait for the other two."""
        async with together:
            return "met"

    worker.services.registry.add(meet)
    key = await worker.send(await worker.thread(), "[[call meet {}]]" * 3)
    await worker.finished(key)
    calls = await worker.store.message_calls(key)
    assert [call.status for call in calls] == [ToolCallStatus.SUCCEEDED] * 3


def _flaky(tries: list[int], **options):
    @tool(effect=Effect.READ, examples=[], **options)
    def flaky() -> str:
        """Fail twice."""
        tries.append(1)
        if len(tries) < 3:
            raise ToolUnavailable("the line is busy")
        return "through"

    return flaky


@pytest.mark.parametrize(
    ("options", "count", "status"),
    [
        ({"retry": Retry(attempts=3)}, 3, ToolCallStatus.SUCCEEDED),
        ({"retry": Retry(attempts=2)}, 2, ToolCallStatus.FAILED),
        ({}, 1, ToolCallStatus.FAILED),
        ({"idempotent": False}, 1, ToolCallStatus.FAILED),
    ],
)
async def test_a_tool_is_tried_as_often_as_it_says(worker, options, count, status):
    tries: list[int] = []
    worker.services.registry.add(_flaky(tries, **options))
    key = await worker.send(await worker.thread(), "[[call flaky {}]]")
    message = await worker.finished(key)
    assert (len(tries), (await worker.call(key)).status) == (count, status)
    if status is ToolCallStatus.FAILED:
        assert "the line is busy" in message.content


async def test_a_tool_of_an_mcp_server_is_called_in_a_run(worker):
    async def selected(_) -> None:
        pass

    registry = worker.services.registry
    time = McpServer(command=sys.executable, args=["-m", "mcp_server_time"])
    servers = McpServers({"time": time}, registry, selected)
    await servers.start(wait_s=60)
    try:
        text = '[[call time_get_current_time {"timezone": "Asia/Tokyo"}]]'
        key = await worker.send(await worker.thread(), text)
        message = await worker.finished(key)
        assert "+09:00" in message.content
        assert (await worker.call(key)).status is ToolCallStatus.SUCCEEDED
    finally:
        await servers.close()


async def test_a_tool_whose_server_went_away_since_the_offer_is_an_error_for_the_model(worker):
    @tool(effect=Effect.EXTERNAL, idempotent=False, examples=[])
    def ship() -> str:
        """Send a parcel."""
        return "sent"

    registry = worker.services.registry
    ship = type(ship)(
        ship.spec.model_copy(update={"source": "mcp:post"}), ship.function, ship.check, {}
    )
    registry.replace("mcp:post", [ship])
    original = worker.store.record_calls

    async def record(key, turn, calls):
        registry.replace("mcp:post", [])
        return await original(key, turn, calls)

    worker.store.record_calls = record
    key = await worker.send(await worker.thread(), "[[call ship {}]]")
    message = await worker.finished(key)
    assert "there is no tool 'ship' at present" in message.content
    call = await worker.call(key)
    assert (call.status, call.idempotent, call.effect) == (
        ToolCallStatus.FAILED,
        *(False, Effect.EXTERNAL),
    )
