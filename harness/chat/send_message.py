"""Take a message: check it, hand it to Inngest, ack. Nothing else is waited for."""

import re
import secrets
import time
from dataclasses import dataclass, field

from cachetools import TTLCache

from harness.chat.authenticate_user import SignedIn
from harness.chat.errors import ApiError, ErrorCode, not_found
from harness.chat.feature_flags import FeatureFlags
from harness.chat.rate_limit import RateLimiter
from harness.chat.trigger_inngest_event import EventSender
from harness.chat.validate import SendRequest, clean_text
from harness.events import MessageSent, message_key
from harness.llm.errors import UnknownModel
from harness.llm.models import resolve_model
from harness.models import Ack, Flow, Thread
from harness.settings import Settings
from harness.store import Store
from harness.telemetry.metrics import count_lookup

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass
class Caches:
    """What sending remembers, bounded in number and in time."""

    threads: TTLCache[tuple[str, str], Thread] = field(
        default_factory=lambda: TTLCache(maxsize=10_000, ttl=30.0)
    )
    acks: TTLCache[str, Ack] = field(default_factory=lambda: TTLCache(maxsize=10_000, ttl=600.0))

    def forget_user(self, user_id: str) -> None:
        """Forget every thread of a user."""
        for place in [place for place in self.threads if place[0] == user_id]:
            self.threads.pop(place, None)


@dataclass(frozen=True)
class Sending:
    """What sending a message depends on.

    Attributes:
        inline: whether the old flow can answer here; without it every message takes the new one.
    """

    settings: Settings
    store: Store
    limiter: RateLimiter
    flags: FeatureFlags
    events: EventSender
    inline: bool
    caches: Caches = field(default_factory=Caches)


@dataclass(frozen=True)
class Sent:
    """An accepted message.

    Attributes:
        ack: what its sender is told.
        inline: what the old flow has yet to answer.
        resent: it had been accepted before.
    """

    ack: Ack
    inline: MessageSent | None = None
    resent: bool = False


async def send_message(
    deps: Sending, user: SignedIn, request: SendRequest, traceparent: str | None = None
) -> Sent:
    """Accept one message and answer its ack; a resend is answered alike and costs nothing.

    Args:
        deps: what sending depends on.
        user: who sends.
        request: what is sent, as it came.
        traceparent: the caller's W3C trace context; a new one when it has none.

    Raises:
        ApiError: why the message is not taken; nothing was kept of it.
        StoreError: Convex could not be asked.
    """
    key = message_key(user.user_id, request.thread_id, request.idempotency_key)
    known = deps.caches.acks.get(key)
    count_lookup("acks", known is not None)
    if known is not None:
        return Sent(known, resent=True)
    thread = await find_thread(deps, user, request.thread_id)
    if thread.status == "archived":
        raise ApiError(
            ErrorCode.THREAD_ARCHIVED,
            f"thread {request.thread_id} is archived",
            "send to another thread",
        )
    text = clean_text(request.text, deps.settings.max_text_bytes)
    model = _model(request.model, deps.settings)
    ack = Ack(message_key=key, thread_id=request.thread_id, event_id=key)
    if not await deps.limiter.charge(user.user_id, key):
        # A resend from before this process started is no new message, so it is never refused.
        if await deps.store.read_message(key) is None:
            raise await deps.limiter.exceeded(user.user_id)
        return Sent(ack, resent=True)
    choice = deps.flags.choose_flow(user.user_id, thread.kind)
    flow = choice.flow if deps.inline else Flow.BACKGROUND
    event = MessageSent(
        message_key=key,
        thread_id=request.thread_id,
        user_id=user.user_id,
        text=text,
        model=model,
        flow=flow,
        flag_version=choice.version,
        sent_at=time.time_ns() // 1_000_000,
        traceparent=_trace(traceparent),
    )
    if flow is Flow.INLINE:
        return Sent(ack, inline=event)
    await deps.events.trigger_inngest_event(event, key)
    deps.caches.acks[key] = ack
    return Sent(ack)


async def find_thread(deps: Sending, user: SignedIn, thread_id: str) -> Thread:
    """The user's own thread.

    Raises:
        ApiError: `not_found` when there is none, or it is somebody else's.
    """
    place = (user.user_id, thread_id)
    thread = deps.caches.threads.get(place)
    count_lookup("threads", thread is not None)
    if thread is None:
        thread = await deps.store.thread_access(thread_id, user.user_id)
        if thread is None:
            raise not_found("thread", thread_id)
        deps.caches.threads[place] = thread
    return thread


def _model(name: str | None, settings: Settings) -> str:
    try:
        return resolve_model(name, settings).name
    except UnknownModel as error:
        if name is None:
            raise  # the deployment's own default is wrong: not the sender's fault
        raise ApiError(ErrorCode.UNKNOWN_MODEL, str(error), "leave `model` out") from error


def _trace(traceparent: str | None) -> str:
    if traceparent is not None and _TRACEPARENT.fullmatch(traceparent):
        return traceparent
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
