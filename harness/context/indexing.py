"""Memory follows Convex: whatever is finished there and missing here is indexed."""

import time
from typing import Protocol

from harness.context.memory import Memory
from harness.store import Unindexed

BATCH = 64  # messages between two looks at the time: a second or two with the packaged embedder


class IndexStore(Protocol):
    """What Convex tells about threads; the Store is one."""

    async def unindexed(self, thread_id: str, embedder: str, limit: int) -> Unindexed | None:
        """The next finished messages that memory misses; None when the thread is removed."""

    async def mark_indexed(self, thread_id: str, embedder: str, order: int) -> bool:
        """Keep how far memory has come; False when the thread is removed."""


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
    embedder = memory.embedder.name
    until = time.monotonic() + within_s
    while True:
        missing = await store.unindexed(thread_id, embedder, BATCH)
        if missing is None:
            await memory.forget_thread(user_id, thread_id)
            return True
        if missing.messages:
            await memory.index(user_id, thread_id, missing.messages)
            if not await store.mark_indexed(thread_id, embedder, missing.next):
                await memory.forget_thread(user_id, thread_id)
                return True
        if missing.done:
            return True
        if time.monotonic() > until:
            return False
