"""Has the demo's conversation over the running stack, and shows it as it happens."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from evals.demo.script import Conversation, Earlier, Turn
from evals.exchange import Exchange, Show, exchange_message
from evals.recorded import Recorded
from evals.threads import write_thread
from harness.client import ChatClient
from harness.models import Question, Status
from harness.services import Services
from harness.store import ImportedMessage

DAY_MS = 24 * 3600 * 1000
MESSAGE_TIMEOUT_S = 90.0
Ask = Callable[[Question, str], str]


@dataclass
class Said:
    """One message of the demo, and how it went."""

    turn: Turn
    went: Exchange

    def problems(self, recalled: str | None) -> list[str]:
        """What is not as the conversation expects, in words.

        Args:
            recalled: the earlier message that must be among the memories, if any.
        """
        expects, went, found = self.turn.expects, self.went, []
        if went.status is not Status.COMPLETED:
            found.append(f"ended {went.status.value}: {went.error}")
        if went.called() != expects.tools:
            ran, wanted = went.called() or "no tool", expects.tools or "none"
            found.append(f"ran {ran}, expected {wanted}")
        if recalled is not None and not any(recalled in memory for memory in went.memories):
            found.append("was not shown the earlier message it refers to")
        if expects.shows is not None and expects.shows.lower() not in self.seen().lower():
            found.append(f"{expects.shows!r} is neither in the answer nor in what it was given")
        return found

    def seen(self) -> str:
        """Everything a reader of this exchange can see: answer, tool results and memories."""
        results = (call.result or "" for call in self.went.calls)
        return "\n".join([self.went.answer, *results, *self.went.memories])


async def prepare_thread(services: Services, user_id: str, conversation: Conversation) -> str:
    """Make the demo's user and thread, with what was said earlier in its memory.

    Returns:
        The thread's id.
    """
    await services.store.ensure_user(user_id, "Demo user")
    thread_id = await services.store.create_thread(user_id, conversation.title)
    earlier = [_imported(item, index) for index, item in enumerate(conversation.earlier)]
    await write_thread(services, user_id, thread_id, earlier)
    return thread_id


def _imported(item: Earlier, index: int) -> ImportedMessage:
    sent_at = time.time_ns() // 1_000_000 - item.days_ago * DAY_MS + index * 60_000
    role = "user" if item.role == "user" else "assistant"
    return ImportedMessage(role=role, content=item.content, sent_at=sent_at)


async def say(
    client: ChatClient, recorded: Recorded, thread_id: str, turn: Turn, show: Show, ask: Ask
) -> Said:
    """Send one message, show its answer as the subscription brings it, reply when asked.

    Args:
        client: of the user who sends.
        recorded: of the same stack.
        thread_id: where it is sent.
        turn: the message.
        show: called with each new piece of text.
        ask: called with a question and the turn's own reply; answers what to reply.
    """
    went = await exchange_message(
        client,
        recorded,
        thread_id,
        turn.text,
        reply=lambda question: ask(question, turn.reply),
        show=show,
        timeout_s=MESSAGE_TIMEOUT_S,
    )
    return Said(turn, went)
