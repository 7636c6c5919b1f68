"""Summaries of threads, as the pipeline keeps them in Convex."""

from harness.models import ThreadSummary
from harness.store._calls import Calls
from harness.store._documents import to_convex
from harness.store.results import Uncovered


class SummaryCalls(Calls):
    """What the pipeline reads and keeps of a thread's older messages."""

    async def summary(self, thread_id: str) -> ThreadSummary | None:
        """The thread's summary, None before there was one."""
        return await self._find(ThreadSummary, "summaries:get", {"threadId": thread_id})

    async def uncovered(self, thread_id: str, before_order: int, recent: int) -> Uncovered:
        """The summary, and the messages that are next to be covered by it.

        Args:
            thread_id: the thread.
            before_order: only messages with a lower `order`.
            recent: how many of these, the newest, the history shows anyway.
        """
        arguments = {"threadId": thread_id, "beforeOrder": before_order, "recent": recent}
        return await self._ask(Uncovered, "summaries:uncovered", arguments)

    async def keep_summary(self, thread_id: str, after: int | None, summary: ThreadSummary) -> bool:
        """Keep a summary; answers whether the thread still had the one that it was made of.

        Args:
            thread_id: the thread.
            after: what that one covered, None for none at all.
            summary: the new one.
        """
        arguments = {"threadId": thread_id, "after": after, "summary": to_convex(summary)}
        return await self._change(bool, "summaries:keep", arguments)
