"""One message over the running stack: sent as a user sends it, followed to its end, looked up."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from evals.recorded import Props, completed_props, step_bars
from harness.client import ChatClient
from harness.models import Question, Status, ToolCall, ToolCallStatus, Usage
from harness.services import Services

Reply = Callable[[Question], str]
Show = Callable[[str], None]


@dataclass
class Exchange:
    """One message and how it was answered; durations are milliseconds since it was sent."""

    text: str
    message_key: str = ""
    status: Status = Status.PENDING
    answer: str = ""
    error: str | None = None
    model: str | None = None
    usage: Usage | None = None
    calls: list[ToolCall] = field(default_factory=list)
    memories: list[str] = field(default_factory=list)
    props: Props = field(default_factory=dict)  # of its `message.completed`
    ack_ms: float | None = None
    first_delta_ms: float | None = None
    completed_ms: float | None = None

    @property
    def offered(self) -> list[str]:
        """The tools that its model was offered, best first."""
        return [name for name in str(self.props.get("tools_offered", "")).split(",") if name]

    @property
    def bars(self) -> list[dict[str, object]]:
        """Its steps for a chart of where time went."""
        return step_bars(self.text, self.props)

    @property
    def took(self) -> str:
        """How long it took, as people read it."""
        return "–" if self.completed_ms is None else f"{self.completed_ms / 1000:.1f} s"

    def called(self) -> list[str]:
        """The tools that ran and succeeded, in order."""
        return [call.name for call in self.calls if call.status is ToolCallStatus.SUCCEEDED]


async def exchange_message(
    client: ChatClient,
    services: Services,
    thread_id: str,
    text: str,
    *,
    reply: Reply,
    show: Show | None = None,
    timeout_s: float,
) -> Exchange:
    """Send a message, follow its answer over the subscription, and reply where it asks.

    A message that has no end in time is cancelled, so that its thread is free, and says so.

    Args:
        client: of the user who sends.
        services: to read what the answer was shown and what was recorded about it.
        thread_id: where it is sent.
        text: the message.
        reply: what to reply to a question; what begins with y approves. May block.
        show: called with each new piece of text.
        timeout_s: seconds until its end is no longer waited for.
    """
    exchange = Exchange(text)
    started = time.perf_counter()
    ack = await client.send(thread_id, text)
    exchange.ack_ms = _since(started)
    exchange.message_key = ack.message_key
    answering = asyncio.create_task(_answer_questions(client, exchange.message_key, reply))
    try:
        async with asyncio.timeout(timeout_s):
            await _follow(client, exchange, show, started)
        exchange.completed_ms = _since(started)
    except TimeoutError:
        exchange.error = f"no end within {timeout_s:g} s"
        await client.cancel(exchange.message_key)
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    await _look_up(services, exchange)
    return exchange


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


async def _follow(
    client: ChatClient, exchange: Exchange, show: Show | None, started: float
) -> None:
    shown = ""
    async with aclosing(client.follow(exchange.message_key)) as states:
        async for state in states:
            text = state.content if state.content is not None else state.text
            if text and exchange.first_delta_ms is None:
                exchange.first_delta_ms = _since(started)
            if show is not None:
                # A new attempt replaces the partial text.
                show(text[len(shown) :] if text.startswith(shown) else "\n" + text)
            shown = text
            exchange.status, exchange.answer, exchange.model = state.status, text, state.model
            if state.error is not None:
                exchange.error = state.error.message


async def _answer_questions(client: ChatClient, message_key: str, reply: Reply) -> None:
    replied: set[str] = set()
    async for calls in client.tool_calls(message_key):
        for call in calls:
            if call.status is not ToolCallStatus.WAITING or call.call_id in replied:
                continue
            if call.question is None:
                continue
            replied.add(call.call_id)
            words = await asyncio.to_thread(reply, call.question)
            if call.question.kind == "approval":
                approved = words.lower().startswith("y")
                await client.reply(message_key, call.call_id, approved=approved)
            else:
                await client.reply(message_key, call.call_id, text=words)


async def _look_up(services: Services, exchange: Exchange) -> None:
    found = await services.store.read_message(exchange.message_key)
    if found is not None and found.assistant is not None:
        exchange.memories = [memory.text for memory in found.assistant.shown]
        exchange.usage = found.assistant.usage
    exchange.calls = await services.store.message_calls(exchange.message_key)
    if exchange.status is Status.COMPLETED:
        exchange.props = await completed_props(services.settings, exchange.message_key)
