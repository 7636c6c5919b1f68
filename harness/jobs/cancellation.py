"""What follows a cancel: the thread goes to its next message.

The cancel itself is in Convex before its event is sent, and the event ends the run wherever it
stands, so it is not the run that can pass its turn on.
"""

from functools import partial
from typing import Any

import inngest

from harness.events import MessageCancelled
from harness.jobs.policies import PERSIST, RETRIES
from harness.jobs.run import thread_free
from harness.jobs.steps import Steps
from harness.jobs.thread_turn import next_in_thread
from harness.services import Services

FN_ID = "release-thread"


def release_thread(services: Services) -> inngest.Function[Any]:
    """The Inngest function on `chat/message.cancelled`."""

    @services.inngest.create_function(
        fn_id=FN_ID,
        trigger=inngest.TriggerEvent(event=MessageCancelled.event_name),
        retries=RETRIES,
    )
    async def release(ctx: inngest.Context) -> str | None:
        cancelled = MessageCancelled.model_validate(ctx.event.data)
        steps = Steps(ctx, cancelled.message_key)
        looking = partial(next_in_thread, services, cancelled.thread_id)
        next_key = (await steps.attempt("find-next", looking, PERSIST)).value
        if next_key is not None and next_key != cancelled.message_key:
            event = thread_free(cancelled.thread_id, cancelled.message_key, next_key)
            await ctx.step.send_event("free-thread", event)
        return str(next_key) if next_key else None

    return release
