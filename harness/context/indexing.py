"""Memory follows Convex: whatever is finished there and missing here is indexed."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from harness.context.memory import Memory
from harness.models import Message
from harness.store import ThreadLength, Unindexed

BATCH = 64  # messages between two looks at the time: a second or two with the packaged embedder


class IndexStore(Protocol):
    """What Convex tells about threads; the Store is one."""

    async def unindexed(
        self, thread_id: str, embedder: str, limit: int, start: int | None = None
    ) -> Unindexed | None:
        """The next finished messages that memory misses; None when the thread is removed."""

    async def mark_indexed(self, thread_id: str, embedder: str, order: int) -> bool:
        """Keep how far memory has come; False when the thread is removed."""


class EverythingStore(IndexStore, Protocol):
    """One that can be gone through as a whole."""

    def users(self) -> AsyncIterator[str]:
        """Every user's id."""

    def threads_of(self, user_id: str) -> AsyncIterator[ThreadLength]:
        """Every thread of a user."""


async def catch_up(
    store: IndexStore, memory: Memory, user_id: str, thread_id: str, within_s: float
) -> bool:
    """Index what memory misses of a thread: what just ended, failed to be indexed, or was imported.

    May be repeated, and run by two at once. A thread that is removed meanwhile is forgotten again:
    Convex is asked after every write, so no record outlives its thread.

    Args:
        store: Convex.
        memory: its embedder's name is part of the mark, so another embedder starts from nothing.
        user_id: whose thread it is.
        thread_id: the thread.
        within_s: begin no further batch after so many seconds.

    Returns:
        Whether nothing is left; otherwise a further call goes on.
    """
    until = time.monotonic() + within_s
    while True:
        missing = await store.unindexed(thread_id, memory.embedder.name, BATCH)
        if missing is None:
            await memory.forget_thread(user_id, thread_id)
            return True
        kept = await _index(store, memory, user_id, thread_id, missing, missing.messages)
        if missing.done or not kept:
            return True
        if time.monotonic() > until:
            return False


async def _index(
    store: IndexStore,
    memory: Memory,
    user_id: str,
    thread_id: str,
    page: Unindexed,
    messages: list[Message],
) -> bool:
    """Index messages of a page and mark the page; answers False when the thread is removed."""
    if not page.messages:
        return True
    await memory.index(user_id, thread_id, messages)
    if await store.mark_indexed(thread_id, memory.embedder.name, page.next):
        return True
    await memory.forget_thread(user_id, thread_id)
    return False


@dataclass(frozen=True, slots=True)
class Place:
    """A thread to go through, and how many messages it has."""

    user_id: str
    thread_id: str
    messages: int


@dataclass
class Reindexed:
    """What a re-indexing did: messages that it embedded, and those that were there before."""

    users: int = 0
    threads: int = 0
    embedded: int = 0
    known: int = 0


async def find_places(store: EverythingStore, user_id: str | None = None) -> list[Place]:
    """Every thread, or every thread of one user."""
    users = [user_id] if user_id is not None else [user async for user in store.users()]
    return [
        Place(user, thread.id, thread.next_order)
        for user in users
        async for thread in store.threads_of(user)
    ]


async def reindex(
    store: IndexStore,
    memory: Memory,
    places: Iterable[Place],
    on_progress: Callable[[int], None],
) -> Reindexed:
    """Make memory hold every finished message of threads, whatever it holds by now.

    Memory itself is asked what it has, not the marks: it may have been lost or half written. So it
    can be interrupted at any time, and goes on when it is run again.

    Args:
        store: Convex, which is the truth.
        memory: with the embedder that makes the vectors.
        places: the threads.
        on_progress: told the number of messages after each batch.
    """
    done, users = Reindexed(), set()
    for place in places:
        await _reindex_thread(store, memory, place, done, on_progress)
        users.add(place.user_id)
        done.threads += 1
    done.users = len(users)
    return done


async def _reindex_thread(
    store: IndexStore,
    memory: Memory,
    place: Place,
    done: Reindexed,
    on_progress: Callable[[int], None],
) -> None:
    user_id, thread_id = place.user_id, place.thread_id
    start = 0
    while True:
        page = await store.unindexed(thread_id, memory.embedder.name, BATCH, start)
        if page is None:
            await memory.forget_thread(user_id, thread_id)
            return
        wanted = [message for message in page.messages if message.content.strip()]
        known = await memory.known(user_id, [message.id for message in wanted])
        missing = [message for message in wanted if message.id not in known]
        kept = await _index(store, memory, user_id, thread_id, page, missing)
        done.known += len(known)
        done.embedded += len(missing)
        on_progress(len(page.messages))
        if page.done or not kept:
            return
        start = page.next
