"""One message of a thread at a time, in order.

Inngest's concurrency keys limit executing steps, not runs: two runs of a thread interleave. Convex
grants the turn to the thread's lowest unfinished message; a run without it waits to be told.
"""

from datetime import timedelta

from harness.events import ThreadFree
from harness.jobs.policies import PERSIST
from harness.jobs.run import Run
from harness.jobs.steps import RunFailed, RunStopped
from harness.jobs.waits import wait_for
from harness.models import Failure
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
            await run.free_thread(begun.next)
            raise RunStopped
        await _wait(run, ask)
    busy = f"Its thread was busy for {MAX_ASKS * run.services.settings.turn_wait_s} s"
    raise RunFailed(Failure(code="thread_busy", message=busy))


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
