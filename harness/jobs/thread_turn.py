"""One message of a thread at a time, in order.

Inngest's concurrency keys limit executing steps, not runs: two runs of a thread interleave. Convex
grants the turn to the thread's lowest unfinished message; a run without it waits to be told.
"""

from datetime import timedelta
from functools import partial

from harness.events import ThreadFree
from harness.jobs.policies import PERSIST
from harness.jobs.run import Run
from harness.jobs.steps import RunFailed, RunStopped
from harness.jobs.waits import wait_for
from harness.models import Failure
from harness.services import Services
from harness.store.results import Begun

MAX_ASKS = 200  # far below Inngest's limit of a run's steps, days at the default wait


async def take_turn(run: Run) -> Begun:
    """Persist the user's message and get the thread's turn.

    Raises:
        RunStopped: the message was cancelled before its turn came.
        RunFailed: its thread can not be used, or never came free.
    """
    for ask in range(MAX_ASKS):
        begun = await run.steps.run(f"begin-{ask}" if ask else "begin", run.begin, PERSIST, Begun)
        if begun.state == "go":
            return begun
        if begun.state == "stop":
            raise RunStopped
        await _wait(run, ask)
    busy = f"Its thread was busy for {MAX_ASKS * run.services.settings.turn_wait_s} s"
    raise RunFailed(Failure(code="thread_busy", message=busy))


async def pass_turn_on(run: Run) -> None:
    """Free the thread of a message that was stopped.

    Whoever stopped it does that too, by an event that is lost if they or Inngest die before it is
    taken. Then this run is the only one that knows.
    """
    looking = partial(next_in_thread, run.services, run.sent.thread_id)
    await run.free_thread((await run.steps.attempt("find-next", looking, PERSIST)).value)


async def next_in_thread(services: Services, thread_id: str) -> str | None:
    """The key of the message whose turn it is, None when the thread is free."""
    unfinished = await services.store.unfinished(thread_id)
    return unfinished[0].message_key if unfinished else None


async def _wait(run: Run, ask: int) -> None:
    async def granted() -> bool:
        return (await run.begin()).state != "wait"

    await wait_for(
        run.steps,
        run.services.inngest,
        f"turn-{ask}",
        ThreadFree(thread_id=run.sent.thread_id, message_key=run.key),
        ("message_key",),
        timedelta(seconds=run.services.settings.turn_wait_s),
        granted,
    )
