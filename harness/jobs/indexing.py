"""The last steps of a run: its thread in memory."""

from functools import partial

from harness.context.indexing import catch_up
from harness.jobs.policies import INDEX
from harness.jobs.run import Run

STEP = "index-memory"
WITHIN_S = INDEX.timeout_s / 3  # what begins by then ends before the step's timeout
MOST_STEPS = 100  # the rest of a very long past is left to the thread's next run


async def index_memory(run: Run) -> None:
    """Index what memory misses of the run's thread, in as many steps as that takes.

    It is a step of the message's own run, after its thread is free: a function of its own took more
    processor time (harness/context/README.md has the figures).
    """
    services, sent = run.services, run.sent
    indexing = partial(
        catch_up, services.store, services.memory, sent.user_id, sent.thread_id, WITHIN_S
    )
    for number in range(MOST_STEPS):
        outcome = await run.steps.attempt(f"{STEP}-{number}" if number else STEP, indexing, INDEX)
        if outcome.failure is not None or outcome.value is not False:
            return
