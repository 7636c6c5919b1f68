"""What a deployment's real threads hold, read from Convex page by page."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from harness.models import Message, ToolCallStatus
from harness.store import Store
from harness.telemetry.analytics import MEMORY_FEEDBACK

PAGE = 200


@dataclass(frozen=True)
class Answered:
    """Something that was asked, and how it was answered.

    Attributes:
        helpful: ids of the memories that its reader said had helped; None without a word of theirs.
        tools: names of those whose calls succeeded, each once.
    """

    asked: Message
    answer: Message
    helpful: tuple[str, ...] | None
    tools: tuple[str, ...]


@dataclass(frozen=True)
class RealThread:
    """A thread of a user; `messages` are the finished ones with a text, oldest first."""

    id: str
    user_id: str
    messages: list[Message]
    answered: list[Answered]


@dataclass(frozen=True)
class Readable:
    """All that was read; `names` are those of every user, whose threads were read or not."""

    names: list[str] = field(default_factory=list)
    threads: list[RealThread] = field(default_factory=list)


async def read_threads(
    store: Store,
    *,
    user_id: str | None = None,
    thread_id: str | None = None,
) -> Readable:
    """Read threads with what is known of each answer.

    Args:
        store: with the deployment's key.
        user_id: only this user's.
        thread_id: only this one.
    """
    found = Readable()
    helpful = await _feedback(store)
    async for person in store.people():
        found.names.extend([person.name] if person.name else [])
        if user_id not in (None, person.subject):
            continue
        # Read before the messages: a page of threads does not outlive a change of one.
        threads = {each.id: each.next_order async for each in store.threads_of(person.subject)}
        for thread, next_order in threads.items():
            if thread_id in (None, thread):
                messages = [m async for m in _messages(store, thread, next_order)]
                answered = await _answered(store, messages, helpful)
                said = [message for message in messages if message.content.strip()]
                found.threads.append(RealThread(thread, person.subject, said, answered))
    return found


async def _feedback(store: Store) -> dict[str, tuple[str, ...]]:
    """The ids that had helped, by the message's key; of several words on one the last counts."""
    helpful: dict[str, tuple[str, ...]] = {}
    cursor: str | None = None
    while True:
        page = await store.list_analytics(MEMORY_FEEDBACK, limit=PAGE, cursor=cursor)
        for event in page.page:
            if event.message_key is not None:
                ids = str(event.props.get("helpful", "")).split(",")
                helpful.setdefault(event.message_key, tuple(filter(None, ids)))
        if page.is_done:
            return helpful
        cursor = page.continue_cursor


async def _messages(store: Store, thread: str, next_order: int) -> AsyncIterator[Message]:
    """A thread's finished messages, oldest first."""
    pages: list[list[Message]] = []
    before = next_order
    while page := await store.history(thread, before, PAGE):
        pages.append(page)
        before = page[0].order
    for page in reversed(pages):
        for message in page:
            yield message


async def _answered(
    store: Store, messages: list[Message], helpful: dict[str, tuple[str, ...]]
) -> list[Answered]:
    asked = {m.message_key: m for m in messages if m.role == "user" and m.message_key}
    found = []
    for message in messages:
        key = message.message_key
        if key is None or message.role != "assistant" or key not in asked:
            continue
        if message.status != "completed":
            continue
        none_offered = message.selection is not None and not message.selection.needed
        calls = [] if none_offered else await store.message_calls(key)
        tools = [call.name for call in calls if call.status is ToolCallStatus.SUCCEEDED]
        found.append(Answered(asked[key], message, helpful.get(key), tuple(dict.fromkeys(tools))))
    return found
