"""What happens when a run of `process_message` has failed for good."""

from functools import partial

import inngest

from harness.events import MessageSent
from harness.jobs.policies import PERSIST
from harness.jobs.run import thread_free
from harness.jobs.steps import Steps
from harness.models import Failure
from harness.services import Services
from harness.store.results import Ended
from harness.telemetry.alerts import raise_alert


async def on_failure(services: Services, ctx: inngest.Context) -> None:
    """Mark the message failed if the run could not, free its thread and raise an alert.

    Args:
        services: what it works with.
        ctx: its run; the event carries the failed one's event and error.
    """
    sent = MessageSent.model_validate(_dict(_dict(ctx.event.data["event"])["data"]))
    reason = str(_dict(ctx.event.data["error"]).get("message") or "The run failed")
    run_id = str(ctx.event.data.get("run_id") or "")
    failure = Failure(code="run_failed", message=reason)
    steps = Steps(ctx, sent.message_key)
    failing = partial(services.store.fail, sent.message_key, failure, sent, run_id)
    outcome = await steps.attempt("persist-failure", failing, PERSIST)
    next_key = None if outcome.failure else Ended.model_validate(outcome.value).next
    if next_key is not None and next_key != sent.message_key:
        event = thread_free(sent.thread_id, sent.message_key, next_key)
        await ctx.step.send_event("free-thread", event)

    async def alert() -> None:
        raise_alert("message_failed", reason, message_key=sent.message_key, run_id=run_id)

    await steps.attempt("alert", alert, PERSIST)


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
