"""The durable job that answers one message."""

from functools import partial
from typing import Any

import inngest

from harness.context.gather import GatheredContext
from harness.events import MessageCancelled, MessageSent, ThreadDeleted, UserDeleted
from harness.jobs.ending import persist_failure, persist_response
from harness.jobs.model_turn import model_turn
from harness.jobs.on_failure import on_failure
from harness.jobs.policies import GATHER, RETRIES, SELECT
from harness.jobs.run import Run
from harness.jobs.steps import RunFailed, RunStopped
from harness.jobs.summarising import summarise_thread
from harness.jobs.thread_turn import pass_turn_on, take_turn
from harness.jobs.tool_calls import run_calls
from harness.llm.answer import Answer, Ceilings
from harness.llm.errors import UnknownModel
from harness.llm.models import ModelSpec, fallbacks, resolve_model
from harness.models import Failure
from harness.services import Services
from harness.store.results import Begun
from harness.tools.offer import Offer

FN_ID = "process-message"
SAME_MESSAGE = "event.data.message_key == async.data.message_key"
SAME_THREAD = "event.data.thread_id == async.data.thread_id"
SAME_USER = "event.data.user_id == async.data.user_id"


def process_message(services: Services) -> inngest.Function[Any]:
    """The Inngest function on `chat/message.sent`."""
    client = services.inngest

    @client.create_function(
        fn_id=FN_ID,
        trigger=inngest.TriggerEvent(event=MessageSent.event_name),
        retries=RETRIES,
        cancel=[
            inngest.Cancel(event=MessageCancelled.event_name, if_exp=SAME_MESSAGE),
            inngest.Cancel(event=ThreadDeleted.event_name, if_exp=SAME_THREAD),
            inngest.Cancel(event=UserDeleted.event_name, if_exp=SAME_USER),
        ],
        on_failure=partial(on_failure, services),
    )
    async def answer(ctx: inngest.Context) -> str:
        return await answer_message(Run(ctx, services, MessageSent.model_validate(ctx.event.data)))

    return answer


async def answer_message(run: Run) -> str:
    """Answer one message, from its thread's turn to its exchange in memory.

    Args:
        run: the run.

    Returns:
        How it ended.

    Raises:
        NonRetriableError: the message failed; it says so by now, and its thread is free.
    """
    try:
        await _answer(run)
    except RunStopped:
        await pass_turn_on(run)
        return "stopped"
    except RunFailed as failed:
        await persist_failure(run, failed.failure)
        raise inngest.NonRetriableError(failed.failure.message) from failed
    return "completed"


async def _answer(run: Run) -> None:
    models = _models(run)
    begun = await take_turn(run)
    gathering = partial(
        run.services.gatherer.gather,
        run.sent.user_id,
        run.sent.thread_id,
        begun.order - 1,  # the message itself comes just before its answer
        run.sent.text,
        model=run.sent.model,
        preferences_version=begun.preferences_version,
    )
    context = await run.steps.run("gather-context", gathering, GATHER, GatheredContext)
    offer = await _select_tools(run, begun, context)
    ceilings = Ceilings.of(run.services.settings)
    answer = Answer(ceilings, run.key, run.sent.text, context, offer.tools)
    await _turns(run, models, answer)
    await persist_response(run, context, offer, answer)
    last_model = answer.results[-1].model
    answered_by = next((spec for spec in models if spec.name == last_model), models[0])
    await summarise_thread(run, answered_by, begun.order)


async def _select_tools(run: Run, begun: Begun, context: GatheredContext) -> Offer:
    """The tools that fit the message; without them, it can still be answered."""
    selecting = partial(
        run.services.offer_tools, run.sent, context.history, begun.preferences_version
    )
    outcome = await run.steps.attempt("select-tools", selecting, SELECT)
    return Offer.model_validate(outcome.value or [])


async def _turns(run: Run, models: list[ModelSpec], answer: Answer) -> None:
    while not answer.finished:
        turn, request = answer.turn, answer.next_turn()
        result = await model_turn(run, turn, models, request)
        answer.add(result, await run_calls(run, turn, result.tool_calls, request.tools))


def _models(run: Run) -> list[ModelSpec]:
    settings = run.services.settings
    try:
        spec = resolve_model(run.sent.model, settings)
        return [spec, *fallbacks(spec, settings)]
    except UnknownModel as error:
        raise RunFailed(Failure(code="unknown_model", message=str(error))) from error
