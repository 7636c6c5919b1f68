"""Remove a thread, or a user, for good."""

import time

from harness.chat.authenticate_user import SignedIn
from harness.chat.errors import not_found
from harness.chat.trigger_inngest_event import EventSender
from harness.events import ThreadDeleted, UserDeleted
from harness.store import Store, StoreError


async def remove_thread(store: Store, events: EventSender, user: SignedIn, thread_id: str) -> None:
    """Remove a thread of the user's with everything in it.

    The event goes first: whoever dies after it, its function removes and forgets all there is. What
    follows here makes the thread unreadable before the request is answered.

    Args:
        store: Convex.
        events: where the wish is kept.
        user: who asks.
        thread_id: the thread.

    Raises:
        ApiError: `not_found`, or `queue_unavailable` when nothing has happened yet.
    """
    if await store.thread_access(thread_id, user.user_id) is None:
        raise not_found("thread", thread_id)
    event = ThreadDeleted(thread_id=thread_id, user_id=user.user_id)
    await events.trigger_inngest_event(event, f"{thread_id}-deleted")
    try:
        await store.as_user(user.token).remove_thread(thread_id)
    except StoreError as error:
        if error.code != "NOT_FOUND":  # the function was quicker
            raise


async def remove_user(store: Store, events: EventSender, user: SignedIn) -> None:
    """Remove the user with everything that is theirs, in the same order.

    Raises:
        ApiError: `queue_unavailable` when nothing has happened yet.
    """
    asked_at = time.time_ns() // 1_000_000
    event = UserDeleted(user_id=user.user_id, asked_at=asked_at)
    # Named after the time too: who comes back may leave again.
    await events.trigger_inngest_event(event, f"{user.user_id}-deleted-{asked_at}")
    await store.as_user(user.token).remove_user()
