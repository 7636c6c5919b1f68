"""What follows the removal of a thread or a user: nothing of it stays, in Convex or beside it."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import inngest

from harness.events import ThreadDeleted, UserDeleted
from harness.jobs.policies import INDEX, PERSIST, RETRIES
from harness.jobs.steps import RunFailed, Steps
from harness.services import Services
from harness.telemetry.alerts import raise_alert

# A step that began to index before the removal has written whatever it will by then.
SETTLE_S = INDEX.timeout_s

Work = Callable[[], Awaitable[None]]


def forget_thread(services: Services) -> inngest.Function[Any]:
    """The Inngest function on `chat/thread.deleted`."""

    @services.inngest.create_function(
        fn_id="forget-thread",
        trigger=inngest.TriggerEvent(event=ThreadDeleted.event_name),
        retries=RETRIES,
    )
    async def forget(ctx: inngest.Context) -> None:
        gone = ThreadDeleted.model_validate(ctx.event.data)
        removing = partial(services.store.remove_thread, gone.thread_id, gone.user_id)
        forgetting = [
            partial(forgetter.forget_thread, gone.user_id, gone.thread_id)
            for forgetter in services.forgetters
        ]
        await _forget(Steps(ctx, gone.thread_id), removing, forgetting)

    return forget


def forget_user(services: Services) -> inngest.Function[Any]:
    """The Inngest function on `chat/user.deleted`."""

    @services.inngest.create_function(
        fn_id="forget-user",
        trigger=inngest.TriggerEvent(event=UserDeleted.event_name),
        retries=RETRIES,
    )
    async def forget(ctx: inngest.Context) -> None:
        gone = UserDeleted.model_validate(ctx.event.data)
        removing = partial(services.store.remove_user, gone.user_id, gone.asked_at)
        forgetting = [
            partial(forgetter.forget_user, gone.user_id) for forgetter in services.forgetters
        ]
        await _forget(Steps(ctx, gone.user_id), removing, forgetting)

    return forget


async def _forget(steps: Steps, removing: Work, forgetting: Sequence[Work]) -> None:
    """Remove in Convex first, so that nobody indexes any more, and then forget twice.

    Raises:
        NonRetriableError: something could not be forgotten for hours; an alert is raised.
    """

    async def everything() -> None:
        for work in forgetting:
            await work()

    try:
        await steps.run("remove", removing, PERSIST, type(None))
        await steps.run("forget", everything, INDEX, type(None))
        await steps.ctx.step.sleep("settle", int(SETTLE_S * 1000))
        await steps.run("forget-again", everything, INDEX, type(None))
    except RunFailed as failed:
        raise_alert("not_forgotten", failed.failure.message, key=steps.key)
        raise inngest.NonRetriableError(failed.failure.message) from failed
