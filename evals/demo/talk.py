"""Has the demo's conversation over the running stack, and shows it as it happens."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evals.demo.script import Conversation, Earlier, Turn
from evals.recorded import completed_props, step_bars
from harness.client import ChatClient
from harness.models import Question, Status, ToolCall, ToolCallStatus
from harness.services import Services
from harness.store import ImportedMessage, StreamState

DAY_MS = 24 * 3600 * 1000
MESSAGE_TIMEOUT_S = 90.0
Ask = Callable[[Question, str], str]
Show = Callable[[str], None]


@dataclass
class Exchange:
    """One message of the demo as it went."""

    turn: Turn
    message_key: str = ""
    status: Status = Status.PENDING
    answer: str = ""
    error: str | None = None
    model: str | None = None
    calls: list[ToolCall] = field(default_factory=list)
    memories: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    bars: list[dict[str, object]] = field(default_factory=list)
    seconds: float = 0.0

    def called(self) -> list[str]:
        """The tools that ran and succeeded, in order."""
        return [call.name for call in self.calls if call.status is ToolCallStatus.SUCCEEDED]

    def problems(self, recalled: str | None) -> list[str]:
        """What is not as the conversation expects, in words.

        Args:
            recalled: the earlier message that must be among the memories, if any.
        """
        expects, found = self.turn.expects, []
        if self.status is not Status.COMPLETED:
            found.append(f"ended {self.status.value}: {self.error}")
        if self.called() != expects.tools:
            ran, wanted = self.called() or "no tool", expects.tools or "none"
            found.append(f"ran {ran}, expected {wanted}")
        if recalled is not None and not any(recalled in memory for memory in self.memories):
            found.append("was not shown the earlier message it refers to")
        if expects.shows is not None and expects.shows.lower() not in self.seen().lower():
            found.append(f"{expects.shows!r} is neither in the answer nor in what it was given")
        return found

    def seen(self) -> str:
        """Everything a reader of this exchange can see: answer, tool results and memories."""
        return "\n".join([self.answer, *(call.result or "" for call in self.calls), *self.memories])


async def prepare_thread(services: Services, user_id: str, conversation: Conversation) -> str:
    """Make the demo's user and thread, with what was said earlier in its memory.

    Returns:
        The thread's id.
    """
    await services.store.ensure_user(user_id, "Demo user")
    thread_id = await services.store.create_thread(user_id, conversation.title)
    earlier = [_imported(item, index) for index, item in enumerate(conversation.earlier)]
    await services.store.import_messages(thread_id, earlier)
    history = await services.store.history(thread_id, len(earlier) + 1, len(earlier))
    await services.memory.index(user_id, thread_id, history)
    return thread_id


def _imported(item: Earlier, index: int) -> ImportedMessage:
    sent_at = time.time_ns() // 1_000_000 - item.days_ago * DAY_MS + index * 60_000
    role = "user" if item.role == "user" else "assistant"
    return ImportedMessage(role=role, content=item.content, sent_at=sent_at)


async def say(
    client: ChatClient, services: Services, thread_id: str, turn: Turn, show: Show, ask: Ask
) -> Exchange:
    """Send one message, show its answer as the subscription brings it, reply when asked.

    Args:
        client: of the user who sends.
        services: to read what the answer was shown.
        thread_id: where it is sent.
        turn: the message.
        show: called with each new piece of text.
        ask: called with a question and the turn's own reply; answers what to reply.
    """
    exchange = Exchange(turn)
    started = time.perf_counter()
    ack = await client.send(thread_id, turn.text)
    exchange.message_key = ack.message_key
    answering = asyncio.create_task(_answer_questions(client, exchange, ask))
    try:
        async with asyncio.timeout(MESSAGE_TIMEOUT_S):
            await _stream(client, exchange, show)
    except TimeoutError:
        exchange.error = f"no end within {MESSAGE_TIMEOUT_S:.0f} s"
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    exchange.seconds = time.perf_counter() - started
    await _look_up(services, exchange)
    return exchange


async def _stream(client: ChatClient, exchange: Exchange, show: Show) -> None:
    shown = ""
    async for state in client.follow(exchange.message_key):
        text = _visible(state)
        if text.startswith(shown):
            show(text[len(shown) :])
        else:  # a new attempt replaced the partial text
            show("\n" + text)
        shown = text
        exchange.status, exchange.answer, exchange.model = state.status, text, state.model
        if state.error is not None:
            exchange.error = state.error.message
        if state.status.finished:
            return


def _visible(state: StreamState) -> str:
    return state.content if state.content is not None else state.text


async def _answer_questions(client: ChatClient, exchange: Exchange, ask: Ask) -> None:
    replied: set[str] = set()
    async for calls in client.tool_calls(exchange.message_key):
        for call in calls:
            waits = call.status is ToolCallStatus.WAITING and call.question is not None
            if not waits or call.call_id in replied:
                continue
            assert call.question is not None
            replied.add(call.call_id)
            answer = await asyncio.to_thread(ask, call.question, exchange.turn.reply)
            if call.question.kind == "approval":
                approved = answer.lower().startswith("y")
                await client.reply(exchange.message_key, call.call_id, approved=approved)
            else:
                await client.reply(exchange.message_key, call.call_id, text=answer)


async def _look_up(services: Services, exchange: Exchange) -> None:
    found = await services.store.read_message(exchange.message_key)
    if found is not None and found.assistant is not None:
        exchange.memories = [memory.text for memory in found.assistant.shown]
    exchange.calls = await services.store.message_calls(exchange.message_key)
    if exchange.status is Status.COMPLETED:
        props = await completed_props(services.settings, exchange.message_key)
        exchange.bars = step_bars(exchange.turn.text, props)
        exchange.offered = [name for name in str(props["tools_offered"]).split(",") if name]
