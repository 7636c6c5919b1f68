"""What follows Convex: how far memory has come, and what is removed for good."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from pydantic import Field

from harness.models import Domain, Message
from harness.store._calls import Calls
from harness.store.results import Page

Row = TypeVar("Row", bound=Domain)
_PAGE = 200


class Unindexed(Domain):
    """A thread's next finished messages that memory misses.

    Once they are in memory everything below the order `next` is; `done` says that nothing finished
    is left.
    """

    messages: list[Message]
    next: int
    done: bool


class ThreadLength(Domain):
    """A thread, and how many messages it has."""

    id: str = Field(alias="_id")
    next_order: int


class UserRow(Domain):
    """A user who has ever been here; `name` as their identity provider gave it."""

    subject: str
    name: str | None = None


class Indexing(Calls):
    """The calls of whoever keeps memory in step with Convex."""

    async def unindexed(
        self, thread_id: str, embedder: str, limit: int, start: int | None = None
    ) -> Unindexed | None:
        """The next finished messages of a thread that memory misses, oldest first.

        Args:
            thread_id: the thread.
            embedder: whose memory; each has a mark of its own in every thread.
            limit: at most so many messages.
            start: the order to begin at; None for the mark.

        Returns:
            None when the thread or its user is removed: memory has to forget it.
        """
        arguments = {"threadId": thread_id, "embedder": embedder, "limit": limit, "from": start}
        return await self._find(Unindexed, "memory:unindexed", arguments)

    async def mark_indexed(self, thread_id: str, embedder: str, order: int) -> bool:
        """Keep that everything below an order is in memory; a mark never goes back.

        Returns:
            False when the thread is removed: what was just written has to be forgotten again.
        """
        arguments = {"threadId": thread_id, "embedder": embedder, "order": order}
        return await self._change(bool, "memory:mark", arguments)

    async def remove_thread(self, thread_id: str, user_id: str) -> None:
        """Remove a thread of a user with everything in it; one that is gone is no error."""
        await self._do("threads:removeFor", {"threadId": thread_id, "subject": user_id})

    async def remove_user(self, user_id: str, asked_at: int) -> None:
        """Remove a user with everything that is theirs, unless they came back since.

        Args:
            user_id: who.
            asked_at: when they asked for it, in milliseconds UTC.
        """
        await self._do("users:removeSubject", {"subject": user_id, "askedAt": asked_at})

    async def users(self) -> AsyncIterator[str]:
        """Every user's id."""
        async for row in self.people():
            yield row.subject

    async def people(self) -> AsyncIterator[UserRow]:
        """Every user."""
        async for row in self._rows(Page[UserRow], "users:list", {}):
            yield row

    async def threads_of(self, user_id: str) -> AsyncIterator[ThreadLength]:
        """Every thread of a user; one that changes meanwhile may come twice."""
        async for row in self._rows(Page[ThreadLength], "threads:listFor", {"subject": user_id}):
            yield row

    async def _rows(
        self, shape: type[Page[Row]], path: str, arguments: dict[str, Any]
    ) -> AsyncIterator[Row]:
        cursor: str | None = None
        while True:
            paging = {"numItems": _PAGE, "cursor": cursor}
            page = await self._ask(shape, path, {**arguments, "paginationOpts": paging})
            for row in page.page:
                yield row
            if page.is_done:
                return
            cursor = page.continue_cursor
