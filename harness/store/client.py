"""The pipeline's access to Convex: internal functions, called with the deployment's key."""

import asyncio
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from harness.events import MessageSent
from harness.models import (
    ContextRecord,
    Failure,
    Message,
    Selection,
    ShownMemory,
    Thread,
    ToolCall,
    Usage,
)
from harness.store._documents import to_convex
from harness.store._http import Connections, ConvexHttp
from harness.store._indexing import Indexing
from harness.store._summaries import SummaryCalls
from harness.store._user import UserStore
from harness.store.results import (
    AnalyticsEvent,
    Appended,
    Attempt,
    Awaited,
    Begun,
    Cancelled,
    CurrentPreferences,
    Ended,
    Exchange,
    Flag,
    ImportedId,
    ImportedMessage,
    Page,
    PlannedCall,
    Replied,
    StartedCall,
    Stop,
)

_ANSWERS_WITHIN_S = 2.0
RETRY_S = 15.0  # longer than a local Convex takes to start again


class Store(SummaryCalls, Indexing):
    """Typed access to one Convex deployment; an async context manager.

    Every call is tried again while Convex does not answer, so a restart of it is a pause. Calls
    raise `StoreError` when Convex refuses them and `StoreUnavailable` when it stays away.

    Args:
        url: the deployment's address.
        deploy_key: its admin or deploy key; without one only `as_user` works.
        retry_s: how long a call is tried again, in seconds.
    """

    def __init__(
        self,
        url: str,
        deploy_key: str | None,
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        self.url = url
        self._connections = Connections(url)
        self._retry_s = retry_s
        key = f"Convex {deploy_key}" if deploy_key is not None else None
        super().__init__(ConvexHttp(self._connections, key, retry_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    def as_user(self, token: str) -> UserStore:
        """The public functions, called as the user whose session token this is."""
        return UserStore(ConvexHttp(self._connections, f"Bearer {token}", self._retry_s))

    async def answers(self) -> bool:
        """Whether Convex answers right now; never raises and never retries."""
        try:
            async with (
                asyncio.timeout(_ANSWERS_WITHIN_S),
                self._connections.session.get(f"{self._connections.url}/version") as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    # Users, threads and preferences.

    async def ensure_user(self, user_id: str, name: str | None = None) -> str:
        """Make the user's row if there is none; answers its Convex id."""
        return await self._change(str, "users:ensureSubject", {"subject": user_id, "name": name})

    async def create_thread(
        self, user_id: str, title: str, kind: Literal["standard", "critical"] = "standard"
    ) -> str:
        """Open a thread for a user; answers its id."""
        arguments = {"subject": user_id, "title": title, "kind": kind}
        return await self._change(str, "threads:createFor", arguments, repeatable=False)

    async def thread_access(self, thread_id: str, user_id: str) -> Thread | None:
        """The thread when it is the user's own, else None."""
        arguments = {"threadId": thread_id, "subject": user_id}
        return await self._find(Thread, "threads:access", arguments)

    async def preferences(self, user_id: str) -> dict[str, str]:
        """The user's preferences by key."""
        return (await self.current_preferences(user_id)).by_key

    async def current_preferences(self, user_id: str) -> CurrentPreferences:
        """The user's preferences and their version, which `begin` answers too."""
        return await self._ask(CurrentPreferences, "preferences:current", {"subject": user_id})

    async def set_preference(self, user_id: str, key: str, value: str) -> None:
        """Remember a preference, over an older value of its key."""
        arguments = {"subject": user_id, "key": key, "value": value}
        await self._do("preferences:setFor", arguments)

    async def remove_preference(self, user_id: str, key: str) -> None:
        """Forget a preference; one that is not there is forgotten already."""
        await self._do("preferences:removeFor", {"subject": user_id, "key": key})

    # Messages.

    async def history(self, thread_id: str, before_order: int, limit: int) -> list[Message]:
        """The newest finished messages below an order, oldest first.

        Args:
            thread_id: the thread.
            before_order: only messages with a lower `order`.
            limit: at most so many.
        """
        arguments = {"threadId": thread_id, "beforeOrder": before_order, "limit": limit}
        return await self._ask(list[Message], "messages:history", arguments)

    async def import_messages(
        self, thread_id: str, messages: list[ImportedMessage]
    ) -> list[tuple[str, int]]:
        """Add messages written elsewhere, at most 500; answers (id, order) of each."""
        arguments = {"threadId": thread_id, "messages": [to_convex(item) for item in messages]}
        rows = await self._change(
            list[ImportedId], "messages:importMany", arguments, repeatable=False
        )
        return [(row.id, row.order) for row in rows]

    async def read_message(self, key: str) -> Exchange | None:
        """Both messages of a key, or None before the run has begun."""
        return await self._find(Exchange, "messages:read", {"messageKey": key})

    async def unfinished(self, thread_id: str) -> list[Message]:
        """The thread's assistant messages that are not finished, by order."""
        return await self._ask(list[Message], "messages:unfinished", {"threadId": thread_id})

    # One run's life.

    async def begin(self, sent: MessageSent, run_id: str) -> Begun:
        """Persist the user's message once and ask for its thread's turn.

        Raises:
            StoreError: `NOT_FOUND` when the thread is not the sender's or is archived.
        """
        return await self._change(Begun, "worker:begin", _sent(sent, run_id))

    async def start_attempt(self, key: str, turn: int, model: str) -> Attempt:
        """Take the next attempt of a turn, fencing off every older one."""
        arguments = {"messageKey": key, "turn": turn, "model": model}
        return await self._change(Attempt, "worker:startAttempt", arguments)

    async def append(self, key: str, attempt: int, seq: int, texts: list[str]) -> Appended:
        """Persist pieces of streamed text.

        Args:
            key: the message's key.
            attempt: the writer's fencing number.
            seq: the sequence number of the first of `texts`.
            texts: the pieces, in order.
        """
        arguments = {"messageKey": key, "attempt": attempt, "seq": seq, "texts": texts}
        return await self._change(Appended, "worker:append", arguments)

    async def complete(
        self,
        key: str,
        content: str,
        model: str,
        usage: Usage,
        latency_ms: float,
        shown: list[ShownMemory],
        context: ContextRecord | None = None,
        selection: Selection | None = None,
    ) -> Ended:
        """End a message with its answer; the first end wins."""
        arguments = {
            "messageKey": key,
            "content": content,
            "model": model,
            "usage": to_convex(usage),
            "latencyMs": latency_ms,
            "shown": [to_convex(item) for item in shown],
            "context": to_convex(context) if context else None,
            "selection": to_convex(selection) if selection else None,
        }
        return await self._change(Ended, "worker:complete", arguments)

    async def fail(
        self, key: str, failure: Failure, sent: MessageSent | None = None, run_id: str = ""
    ) -> Ended:
        """End a message with a reason; its partial text is kept.

        Args:
            key: the message's key.
            failure: the reason, for its reader.
            sent: what was sent, so that a run that failed before `begin` leaves both messages.
            run_id: the run, together with `sent`.
        """
        arguments = _sent(sent, run_id) if sent is not None else {"messageKey": key}
        return await self._change(Ended, "worker:fail", {**arguments, "error": to_convex(failure)})

    async def cancel(self, key: str, user_id: str) -> Cancelled:
        """Stop a message of the user's, also one whose run has yet to begin."""
        arguments = {"messageKey": key, "subject": user_id}
        return await self._change(Cancelled, "worker:cancel", arguments)

    # Tool calls.

    async def record_calls(self, key: str, turn: int, calls: list[PlannedCall]) -> Stop | None:
        """Keep the calls a turn asked for; answers why to stop, if so."""
        planned = [to_convex(call) for call in calls]
        arguments = {"messageKey": key, "turn": turn, "calls": planned}
        return (await self._change(Awaited, "toolCalls:record", arguments)).stop

    async def start_call(self, call_id: str) -> StartedCall:
        """Ask whether a call may run now."""
        return await self._change(StartedCall, "toolCalls:start", {"callId": call_id})

    async def finish_call(
        self,
        call_id: str,
        status: Literal["succeeded", "failed", "denied", "expired"],
        result: str | None = None,
        error: str | None = None,
    ) -> ToolCall:
        """End a call; the first end wins and is what is answered. `result` is JSON text."""
        arguments = {"callId": call_id, "status": status, "result": result, "error": error}
        return await self._change(ToolCall, "toolCalls:finish", arguments)

    async def await_user(
        self, call_id: str, kind: Literal["approval", "question"], prompt: str, expires_at: int
    ) -> Awaited:
        """Put a question to the user; a reply that came before is answered at once."""
        arguments = {"callId": call_id, "kind": kind, "prompt": prompt, "expiresAt": expires_at}
        return await self._change(Awaited, "toolCalls:awaitUser", arguments)

    async def reply(
        self,
        key: str,
        call_id: str,
        user_id: str,
        approved: bool | None = None,
        text: str | None = None,
    ) -> Literal["kept", "already", "closed"]:
        """Keep a user's answer; the first one wins.

        Raises:
            StoreError: `NOT_FOUND` when the call is not the user's.
        """
        arguments = {
            "messageKey": key,
            "callId": call_id,
            "subject": user_id,
            "approved": approved,
            "text": text,
        }
        return (await self._change(Replied, "toolCalls:reply", arguments)).state

    async def resume(self, call_id: str) -> Awaited:
        """Stop waiting for the user; answers the reply that was kept, if any."""
        return await self._change(Awaited, "toolCalls:resume", {"callId": call_id})

    async def get_call(self, call_id: str) -> ToolCall | None:
        """One tool call, or None."""
        return await self._find(ToolCall, "toolCalls:get", {"callId": call_id})

    async def message_calls(self, key: str) -> list[ToolCall]:
        """A message's tool calls by turn and index."""
        return await self._ask(list[ToolCall], "toolCalls:forMessage", {"messageKey": key})

    # Analytics and flags.

    async def record_analytics(
        self,
        event: str,
        at: int,
        *,
        user_id: str | None = None,
        thread_id: str | None = None,
        message_key: str | None = None,
        props: dict[str, str | float | bool] | None = None,
    ) -> None:
        """Record one event at a time in integer milliseconds."""
        arguments = {
            "event": event,
            "at": at,
            "subject": user_id,
            "threadId": thread_id,
            "messageKey": message_key,
            "props": props or {},
        }
        await self._do("analytics:record", arguments, repeatable=False)

    async def list_analytics(
        self, event: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[AnalyticsEvent]:
        """One page of an event's records."""
        paging = {"numItems": limit, "cursor": cursor}
        arguments = {"event": event, "paginationOpts": paging}
        return await self._ask(Page[AnalyticsEvent], "analytics:list", arguments)

    async def get_flag(self, key: str) -> Flag | None:
        """One feature flag, or None."""
        return await self._find(Flag, "flags:get", {"key": key})

    async def list_flags(self) -> list[Flag]:
        """Every feature flag."""
        return await self._ask(list[Flag], "flags:list", {})

    async def set_flag(
        self,
        key: str,
        *,
        enabled: bool,
        percentage: float = 100.0,
        kinds: list[str] | None = None,
        subjects: list[str] | None = None,
    ) -> int:
        """Set a feature flag; answers its new version.

        Args:
            key: the flag's name.
            enabled: whether it is on for anyone.
            percentage: of users, 0–100.
            kinds: kinds of thread it is on for; none means every kind.
            subjects: users it is always on for.
        """
        arguments = {
            "key": key,
            "enabled": enabled,
            "percentage": percentage,
            "kinds": kinds or [],
            "subjects": subjects or [],
        }
        return await self._change(int, "flags:set", arguments)


def _sent(sent: MessageSent, run_id: str) -> dict[str, Any]:
    return {
        "messageKey": sent.message_key,
        "threadId": sent.thread_id,
        "subject": sent.user_id,
        "text": sent.text,
        "model": sent.model,
        "flow": sent.flow.value,
        "sentAt": sent.sent_at,
        "runId": run_id,
    }
