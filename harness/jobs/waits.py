"""Waiting for an event that may have been sent already.

Inngest matches an event with the waits that stand when it comes. One that was sent a moment before
is missed. What the event tells is kept in Convex too, so a step that starts beside the wait looks
there: if it was sent already it is sent again, and the wait, which stands by now, resolves.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import inngest

from harness.events import Event
from harness.jobs.policies import LOOKUP
from harness.jobs.steps import Steps


async def wait_for(
    steps: Steps,
    client: inngest.Inngest,
    name: str,
    event: Event,
    match: tuple[str, ...],
    timeout: timedelta,
    happened: Callable[[], Awaitable[bool]],
) -> None:
    """Wait until an event comes, came, or the time is over; its receiver asks Convex which.

    Args:
        steps: of the run.
        client: sends the event again.
        name: of the wait, unique in the run.
        event: what is waited for, as it would be sent.
        match: names of the event's data that must be equal.
        timeout: how long at most.
        happened: looks in Convex whether it was sent already.
    """
    data = event.model_dump(mode="json")
    condition = " && ".join(f"async.data.{field} == '{data[field]}'" for field in match)

    async def look() -> bool:
        found = await happened()
        if found:
            await client.send(event.to_inngest(f"{steps.key}-{name}"))
        return found

    async def wait() -> None:
        await steps.ctx.step.wait_for_event(
            name, event=event.event_name, if_exp=condition, timeout=timeout
        )

    async def look_step() -> None:
        await steps.attempt(f"{name}-lookup", look, LOOKUP)

    await steps.ctx.group.parallel((wait, look_step))
