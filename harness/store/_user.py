"""The public functions: what a signed-in user may read and change."""

from typing import Literal

from harness.models import Message, StreamView, Thread, ToolCall
from harness.store._calls import Calls
from harness.store.results import Exchange, Page, Preference


class UserStore(Calls):
    """Convex as one user sees it; another user's things are not there."""

    async def ensure_user(self) -> str:
        """Make the caller's row if there is none; answers its Convex id."""
        return await self._change(str, "users:ensure", {})

    async def remove_user(self) -> None:
        """Remove the caller with everything that is theirs, for good."""
        await self._do("users:remove", {})

    async def preferences(self) -> list[Preference]:
        """The caller's preferences."""
        return await self._ask(list[Preference], "preferences:list", {})

    async def set_preference(self, key: str, value: str) -> None:
        """Set a preference, over an older value of its key."""
        await self._do("preferences:set", {"key": key, "value": value})

    async def remove_preference(self, key: str) -> None:
        """Remove a preference; one that is not there is no error."""
        await self._do("preferences:remove", {"key": key})

    async def create_thread(
        self, title: str, kind: Literal["standard", "critical"] = "standard"
    ) -> str:
        """Open a thread; answers its id."""
        arguments = {"title": title, "kind": kind}
        return await self._change(str, "threads:create", arguments, repeatable=False)

    async def get_thread(self, thread_id: str) -> Thread | None:
        """One of the caller's threads, or None."""
        return await self._find(Thread, "threads:get", {"threadId": thread_id})

    async def list_threads(
        self,
        *,
        status: Literal["active", "archived"] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Thread]:
        """One page of the caller's threads, newest message first."""
        arguments = {"paginationOpts": {"numItems": limit, "cursor": cursor}, "status": status}
        return await self._ask(Page[Thread], "threads:list", arguments)

    async def archive_thread(self, thread_id: str) -> None:
        """Archive a thread.

        Raises:
            StoreError: `NOT_FOUND` when it is not the caller's.
        """
        await self._do("threads:archive", {"threadId": thread_id})

    async def remove_thread(self, thread_id: str) -> None:
        """Remove a thread with everything in it, for good.

        Raises:
            StoreError: `NOT_FOUND` when it is not the caller's.
        """
        await self._do("threads:remove", {"threadId": thread_id})

    async def set_tool_permission(
        self, thread_id: str, tool: str, permission: Literal["auto", "ask", "never"] | None
    ) -> None:
        """Say what a tool may do in a thread; None takes back what was said.

        Raises:
            StoreError: `NOT_FOUND` when the thread is not the caller's, `INVALID` when there is too
                much said already.
        """
        arguments = {"threadId": thread_id, "tool": tool, "permission": permission}
        await self._do("threads:setPermission", arguments)

    async def list_messages(
        self, thread_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Message]:
        """One page of a thread's messages, newest first."""
        paging = {"numItems": limit, "cursor": cursor}
        arguments = {"threadId": thread_id, "paginationOpts": paging}
        return await self._ask(Page[Message], "messages:list", arguments)

    async def read_message(self, key: str) -> Exchange | None:
        """Both messages of a key, or None before the run has begun."""
        return await self._find(Exchange, "messages:byKey", {"messageKey": key})

    async def stream(self, key: str, after: int = -1) -> StreamView | None:
        """A message's stream after a sequence number, read once; `Subscriber` follows it."""
        arguments = {"messageKey": key, "after": after}
        return await self._find(StreamView, "messages:stream", arguments)

    async def tool_calls(self, key: str) -> list[ToolCall]:
        """A message's tool calls, by turn and index."""
        return await self._ask(list[ToolCall], "toolCalls:list", {"messageKey": key})
