"""The summary of a thread's older messages, brought up to date after an answer."""

from functools import partial

from harness.context.summary import may_be_due, summarises
from harness.context.tokens import token_counter
from harness.jobs.policies import SUMMARISE
from harness.jobs.run import Run
from harness.llm.models import ModelSpec
from harness.llm.summarising import write_summary
from harness.telemetry.metrics import MODEL_TOKENS


async def summarise_thread(run: Run, spec: ModelSpec, order: int) -> None:
    """Cover what the history no longer shows, once there is enough of it.

    The answer is kept by now and its thread is free: a summary that fails costs nothing else, and
    a later message makes it.

    Args:
        run: the run.
        spec: the model that answered.
        order: of the answer.
    """
    settings = run.services.settings
    if summarises(spec, settings) and may_be_due(order, settings):
        await run.steps.attempt("summarise", partial(_summarise, run, spec, order), SUMMARISE)


async def _summarise(run: Run, spec: ModelSpec, order: int) -> int | None:
    """Make the next summary; answers up to which order it goes, None when there is none."""
    settings, store = run.services.settings, run.services.store
    thread_id = run.sent.thread_id
    # A later message's question may be kept already, but not its answer: nothing from there on.
    found = await store.uncovered(thread_id, order + 1, settings.history_messages)
    if len(found.messages) < settings.summary_after:
        return None
    written = await write_summary(
        run.services.models, spec, token_counter(spec.model), found.summary, found.messages
    )
    for kind in ("prompt", "completion", "cached"):
        MODEL_TOKENS.labels(spec.name, kind).inc(getattr(written.usage, f"{kind}_tokens"))
    after = found.summary.through_order if found.summary else None
    kept = await store.keep_summary(thread_id, after, written.summary)
    return written.summary.through_order if kept else None
