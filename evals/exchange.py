"""One message over the running stack: sent as a user sends it, followed to its end, looked up."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from evals.recorded import MessageRecord, Recorded, step_bars
from harness.client import ChatClient
from harness.models import Question, Status, ToolCall, ToolCallStatus, Usage

Reply = Callable[[Question], str]
Show = Callable[[str], None]


@dataclass
class Exchange:
    """One message and how it was answered; durations are milliseconds since it was sent.

    Attributes:
        record: what the pipeline kept about it.
    """

    text: str
    message_key: str = ""
    status: Status = Status.PENDING
    answer: str = ""
    error: str | None = None
    model: str | None = None
    record: MessageRecord = field(default_factory=lambda: MessageRecord(key=""))
    ack_ms: float | None = None
    first_delta_ms: float | None = None
    completed_ms: float | None = None

    @property
    def calls(self) -> list[ToolCall]:
        """Its tool calls, in order."""
        return self.record.calls

    @property
    def memories(self) -> list[str]:
        """The memories and pieces of documents that its model was shown, best first."""
        assistant = self.record.assistant
        return [memory.text for memory in assistant.shown] if assistant else []

    @property
    def usage(self) -> Usage | None:
        """The tokens of all of its model calls."""
        return self.record.assistant.usage if self.record.assistant else None

    @property
    def offered(self) -> list[str]:
        """The tools that its model was offered, best first."""
        offered = str(self.record.props.get("tools_offered", ""))
        return [name for name in offered.split(",") if name]

    @property
    def bars(self) -> list[dict[str, object]]:
        """Its steps for a chart of where time went."""
        return step_bars(self.text, self.record.props)

    @property
    def took(self) -> str:
        """How long it took, as people read it."""
        return "–" if self.completed_ms is None else f"{self.completed_ms / 1000:.1f} s"

    def called(self) -> list[str]:
        """The tools that ran and succeeded, in order."""
        return [call.name for call in self.calls if call.status is ToolCallStatus.SUCCEEDED]


async def exchange_message(
    client: ChatClient,
    recorded: Recorded,
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
        recorded: of the same stack.
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
    exchange.record = await recorded.read(exchange.message_key)
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
